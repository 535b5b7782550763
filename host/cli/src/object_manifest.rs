//! The manifest of an object that is verified or restored.

use anyhow::Context;
use partway_manifest::{Manifest, ManifestProblem, ManifestSet};
use partway_verify::pluralize;

use crate::arguments::Dump;
use crate::dump_source::DumpSource;
use crate::failure::Failure;

/// The largest manifest: that of a million tables has some 150 MB.
pub const MAX_BYTES: usize = 512 * 1024 * 1024;

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
    if let (Ok(set), DumpSource::Object { name, .. }) = (ManifestSet::from_json(&text), object) {
        let found = set.object(name).cloned();
        let missing = || format!("the manifest {} lists no object {name}", source.location());
        return Ok(Some(found.with_context(missing)?));
    }
    let manifest = Manifest::from_json(&text).with_context(|| {
        format!("the manifest {} can't be used: --no-manifest does without it", source.location())
    })?;
    Ok(Some(manifest))
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
