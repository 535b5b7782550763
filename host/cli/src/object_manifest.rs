//! The manifest of an object that is verified or restored.

use anyhow::anyhow;
use partway_manifest::{
    MANIFEST_SUFFIX, Manifest, ManifestError, ManifestProblem, ManifestSet, begins_as_manifest,
};
use partway_verify::pluralize;
use sha2::{Digest, Sha256};

use crate::arguments::Dump;
use crate::dump_source::DumpSource;
use crate::failure::Failure;

/// The largest manifest: that of a million tables has some 150 MB.
const MAX_BYTES: usize = 512 * 1024 * 1024;

/// How many problems are printed one by one.
const MAX_PRINTED: usize = 20;

/// The manifest of an object: the one that was named, or the one beside it, if there is one.
pub async fn manifest(
    object: &DumpSource,
    named: Option<&Dump>,
) -> Result<Option<Manifest>, Failure> {
    let manifest = match named {
        Some(named) => Some(DumpSource::open(named)?),
        None => object.manifest().await?,
    };
    let Some(source) = manifest else { return Ok(None) };
    let text = source.read_whole(MAX_BYTES).await?;
    let location = source.location();
    let unusable = |error: ManifestError| {
        anyhow!("the manifest {location} can't be used: {error}; --no-manifest does without it")
    };
    if let (Ok(set), DumpSource::Object { name, .. }) = (ManifestSet::from_json(&text), object) {
        let found = set.object(name).cloned();
        let missing = || anyhow!("the manifest {location} lists no object {name}");
        return Ok(Some(found.ok_or_else(missing)?));
    }
    Ok(Some(Manifest::from_json(&text).map_err(unusable)?))
}

/// What an object lists that is itself a manifest, and its SHA-256. None: it is something else, which may have any name.
pub async fn listed_by(source: &DumpSource) -> Result<Option<(ManifestSet, String)>, Failure> {
    match source {
        DumpSource::Object { name, .. } if name.ends_with(MANIFEST_SUFFIX) => {}
        _ => return Ok(None),
    }
    let text = source.read_whole(MAX_BYTES).await?;
    match ManifestSet::from_json_of_any(&text) {
        Ok(set) => Ok(Some((set, base16ct::lower::encode_string(&Sha256::digest(&text))))),
        Err(error) if begins_as_manifest(&text) => {
            Err(anyhow!("the manifest {} can't be used: {error}", source.location()).into())
        }
        Err(_) => Ok(None),
    }
}

/// Problems as they are printed: the first ones, and how many more there are.
pub fn printable(location: &str, problems: &[ManifestProblem]) -> Vec<String> {
    let printed = problems.len().min(MAX_PRINTED);
    let mut lines: Vec<String> =
        problems[..printed].iter().map(|problem| format!("{location} {problem}")).collect();
    let more = problems.len() - printed;
    if more > 0 {
        let more = pluralize(more as u64, "more place");
        lines.push(format!("{location} is not what its manifest says in {more}"));
    }
    lines
}
