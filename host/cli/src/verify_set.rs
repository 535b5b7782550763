//! `partway verify` of a manifest: all objects of an export that has made one of each table.

use anyhow::anyhow;
use partway_codec::Identities;
use partway_manifest::ManifestSet;
use partway_verify::pluralize;

use crate::arguments::VerifyArguments;
use crate::dump_source::DumpSource;
use crate::failure::Failure;
use crate::object_manifest::listed_by;
use crate::output::message;
use crate::verify::Verify;

/// The manifest that is to be verified, if it is one: that of a single object is a set of one.
pub async fn manifest_set(
    source: &DumpSource,
    arguments: &VerifyArguments,
) -> Result<Option<ManifestSet>, Failure> {
    let Some((set, found)) = listed_by(source).await? else { return Ok(None) };
    let misplaced = [
        (arguments.against.is_some(), "--against can't be used with a manifest: give it the dump"),
        (arguments.manifest.is_some(), "--manifest can't be used with a manifest: it is the one"),
        (
            arguments.no_manifest,
            "--no-manifest can't be used with a manifest: what it lists is what is verified",
        ),
    ];
    if let Some((_, said)) = misplaced.into_iter().find(|(is_given, _)| *is_given) {
        return Err(Failure::usage(anyhow!(said)));
    }
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
