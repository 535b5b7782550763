//! `partway verify` of a manifest: all objects of an export that has made one of each table.

use anyhow::anyhow;
use partway_codec::Identities;
use partway_manifest::{MANIFEST_SUFFIX, Manifest, ManifestError, ManifestSet};
use partway_verify::pluralize;
use sha2::{Digest, Sha256};

use crate::arguments::VerifyArguments;
use crate::dump_source::DumpSource;
use crate::failure::Failure;
use crate::object_manifest::MAX_BYTES;
use crate::output::message;
use crate::verify::Verify;

/// The manifest that is to be verified, if it is one: that of a single object is a set of one.
pub async fn manifest_set(
    source: &DumpSource,
    arguments: &VerifyArguments,
) -> Result<Option<ManifestSet>, Failure> {
    match source {
        DumpSource::Object { name, .. } if name.ends_with(MANIFEST_SUFFIX) => {}
        _ => return Ok(None),
    }
    let text = source.read_whole(MAX_BYTES).await?;
    let set = ManifestSet::from_json(&text).or_else(|error| match error {
        ManifestError::Newer { .. } => Err(error),
        _ => Ok(ManifestSet::new(vec![Manifest::from_json(&text)?])),
    });
    let set = match set {
        Ok(set) => set,
        Err(error @ ManifestError::Newer { .. }) => {
            return Err(anyhow!("{} {error}", source.location()).into());
        }
        // A dump may have any name.
        Err(_) => return Ok(None),
    };
    if arguments.against.is_some() {
        return Err(Failure::usage(anyhow!(
            "--against can't be used with a manifest: give it the dump"
        )));
    }
    let found = base16ct::lower::encode_string(&Sha256::digest(&text));
    match &arguments.sha256 {
        Some(expected) if *expected != found => Err(Failure::Failed(anyhow!(
            "{} has the SHA-256 {found}, not {expected}",
            source.location()
        ))),
        _ => Ok(Some(set)),
    }
}

/// Verifies all objects of a set one after another, and ends with how many of them are not what they should be.
pub async fn verify_set(
    set: ManifestSet,
    manifest: &DumpSource,
    arguments: &VerifyArguments,
    identities: &Identities,
) -> Result<(), Failure> {
    let DumpSource::Object { store, .. } = manifest else { return Ok(()) };
    // That of the manifest, and compared.
    let arguments = VerifyArguments { sha256: None, ..arguments.clone() };
    let (location, all) = (manifest.location(), set.objects.len() as u64);
    let mut different = 0;
    for of_object in set.objects {
        let source =
            DumpSource::Object { store: store.clone(), name: of_object.object.name.clone() };
        let verify = Verify {
            arguments: &arguments,
            source,
            identities: identities.clone(),
            restored: None,
        };
        if let Err(failure) = verify.run(Some(of_object)).await {
            message!("{failure}");
            different += 1;
        }
    }
    let objects = pluralize(all, "object");
    if different == 0 {
        message!("{location} lists {objects}, and all are what it says");
        return Ok(());
    }
    Err(Failure::Failed(anyhow!(
        "{location} lists {objects}, and {different} could not be verified or differ"
    )))
}
