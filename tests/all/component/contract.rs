//! The contract's versions: since when each item is there, and which components a host runs.

use std::path::Path;

use partway_prebuilt::{EXPORTER, IMPORTER, PARQUET, REDACTING_EXPORTER, REDACTOR};
use partway_redact::{parse_policy, redacting, redacting_exporter};
use partway_testbed::write_sample;
use partway_wasmtime::exporter::Exporter;
use wac_graph::types::{ItemKind, Package, Type, Types, validate_target};
use wit_component::WitPrinter;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{PackageId, Resolve, Stability};

use crate::support::{export, export_with, hostile, job_options, pass_through, sha256};

const PART_SIZE: u32 = 64 * 1024;

/// The contract, as its files say it.
fn contract() -> (Resolve, PackageId) {
    let mut resolve = Resolve::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_dir(&folder).unwrap();
    (resolve, package)
}

#[test]
fn every_item_says_since_when_it_is_there() {
    let (resolve, package) = contract();
    let version = resolve.packages[package].name.version.clone().unwrap();
    let mut items: Vec<(String, &Stability)> = Vec::new();
    for (_, world) in &resolve.worlds {
        items.push((world.name.clone(), &world.stability));
        for (key, item) in world.imports.iter().chain(&world.exports) {
            let name = format!("{}, {}", world.name, resolve.name_world_key(key));
            items.push((name, item.stability(&resolve)));
        }
    }
    for (_, interface) in &resolve.interfaces {
        let of = interface.name.clone().unwrap();
        items.push((of.clone(), &interface.stability));
        for (name, id) in &interface.types {
            items.push((format!("{of}.{name}"), &resolve.types[*id].stability));
        }
        for (name, function) in &interface.functions {
            items.push((format!("{of}.{name}"), &function.stability));
        }
    }
    assert!(items.len() > 50, "{items:?}");
    for (name, stability) in items {
        match stability {
            Stability::Stable { since, .. } => {
                assert!(*since <= version, "{name} is of a version to come");
            }
            other => panic!("{name} has no @since: {other:?}"),
        }
    }
}

/// The exporter as if it were built for another version of the contract, whose number is as long.
fn of_version(version: &str) -> Vec<u8> {
    let (from, to) = (b"@0.1.0", format!("@{version}").into_bytes());
    assert_eq!(from.len(), to.len());
    let mut component = EXPORTER.to_vec();
    let mut changed = 0;
    for at in 0..component.len() - from.len() {
        if component[at..].starts_with(from) {
            component[at..at + to.len()].copy_from_slice(&to);
            changed += 1;
        }
    }
    assert!(changed > 3);
    component
}

#[test]
fn components_of_a_compatible_version_run_and_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 1).unwrap();
    let expected = sha256(&export(&file, folder.path(), PART_SIZE, || 5).file);
    // To the host, 0.1.7 and 0.1.0 are the same: items may have been added, and none changed.
    let exporter = Exporter::new(&of_version("0.1.7")).unwrap();
    let dump = export_with(&exporter, &file, folder.path(), job_options(PART_SIZE), || 5).unwrap();
    assert_eq!(sha256(&dump.file), expected);
    let refused = Exporter::new(&of_version("0.2.0")).err().unwrap().to_string();
    assert!(refused.contains("partway:pipe/rows@0.2.0"), "{refused}");
}

/// A package as text, comments and versions too.
fn printed(resolve: &Resolve, package: PackageId) -> String {
    let mut printer = WitPrinter::default();
    printer.print(resolve, package, &[]).unwrap();
    printer.output.to_string()
}

#[test]
fn the_package_that_is_published_says_what_the_files_say() {
    let (resolve, package) = contract();
    let encoded = wit_component::encode(&resolve, package).unwrap();
    let DecodedWasm::WitPackage(decoded, read) = decode(&encoded).unwrap() else {
        panic!("a component, not a package");
    };
    let text = printed(&decoded, read);
    assert!(text.contains("/// Opens a table after `after`") && text.contains("@since"), "{text}");
    assert_eq!(text, printed(&resolve, package));
}

/// Whether a component can be used where one of a world is asked for: what `wac targets` checks.
fn is_of_world(component: &[u8], world: &str) -> bool {
    let (resolve, package) = contract();
    let encoded = wit_component::encode(&resolve, package).unwrap();
    let mut types = Types::default();
    let wit = Package::from_bytes("wit", None, encoded, &mut types).unwrap();
    let component = Package::from_bytes("component", None, component.to_vec(), &mut types).unwrap();
    let ItemKind::Type(Type::World(named)) = types[wit.ty()].exports[world] else {
        panic!("{world} is not a world");
    };
    let Some(ItemKind::Component(world)) = types[named].exports.values().next().copied() else {
        panic!("{world} is empty");
    };
    validate_target(&types, world, component.ty()).is_ok()
}

#[test]
fn components_are_of_the_worlds_that_they_are_for() {
    let policy = parse_policy("unlisted = 'keep'").unwrap();
    let composed = redacting(EXPORTER, &policy).unwrap();
    let linked = redacting_exporter(&policy).unwrap();
    for (name, component, world) in [
        ("the exporter", EXPORTER, "export-component"),
        ("the Parquet component", PARQUET, "export-component"),
        ("the hostile exporter", hostile(), "export-component"),
        ("the exporter with a redactor and a policy", &composed[..], "export-component"),
        ("the exporter with the redactor inside and a policy", &linked[..], "export-component"),
        ("the exporter with the redactor inside, which needs a policy", REDACTING_EXPORTER, "none"),
        ("the redactor, which needs a policy", REDACTOR, "none"),
        ("the pass-through", pass_through(), "transform"),
        ("the importer", IMPORTER, "import-component"),
    ] {
        for of in ["export-component", "transform", "import-component"] {
            assert_eq!(is_of_world(component, of), of == world, "{name}, {of}");
        }
    }
}
