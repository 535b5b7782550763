//! The manifest of several objects that one export has made.

use serde::{Deserialize, Serialize};

use crate::manifest::{Manifest, ManifestError, VERSION};

/// What is in the objects of an export that has made one of each table: in each of them, and in the order of the tables.
///
/// An object of which there is none in the list is no object of the export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestSet {
    /// The version of this description: 1.
    #[serde(rename = "manifest_set")]
    pub version: u32,
    /// The objects' manifests. All objects are of the same state of the database.
    pub objects: Vec<Manifest>,
}

impl ManifestSet {
    /// A manifest of these objects.
    pub fn new(objects: Vec<Manifest>) -> Self {
        Self { version: VERSION, objects }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// All of [`ManifestError`].
    pub fn from_json(text: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Version {
            manifest_set: u32,
        }
        let Version { manifest_set: found } = serde_json::from_slice(text)?;
        if found > VERSION {
            return Err(ManifestError::Newer { found });
        }
        let set: Self = serde_json::from_slice(text)?;
        set.objects.iter().try_for_each(Manifest::check)?;
        Ok(set)
    }

    /// Reads a manifest of either kind: that of a single object is a set of one.
    ///
    /// # Errors
    ///
    /// All of [`ManifestError`].
    pub fn from_json_of_any(text: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Kind {
            manifest_set: Option<u32>,
        }
        match serde_json::from_slice(text)? {
            Kind { manifest_set: Some(_) } => Self::from_json(text),
            Kind { manifest_set: None } => Ok(Self::new(vec![Manifest::from_json(text)?])),
        }
    }

    /// As JSON text.
    ///
    /// # Errors
    ///
    /// Like [`Manifest::to_json`].
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        self.objects.iter().try_for_each(Manifest::check)?;
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// The manifest of the object of this name.
    pub fn object(&self, name: &str) -> Option<&Manifest> {
        self.objects.iter().find(|manifest| manifest.object.name == name)
    }
}
