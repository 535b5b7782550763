//! `cargo xtask dist`: writes the components and the contract to files, for other hosts and for registries.

use std::fs;

use anyhow::{Context, Result, anyhow};
use partway_component_build::{Toolchain, build};
use serde_json::Value;
use wasm_encoder::{ComponentSection, CustomSection};
use wasm_metadata::{AddMetadata, AddMetadataField};
use wit_parser::Resolve;

use crate::codec;
use crate::component::{build_components, crate_name};
use crate::run::{cargo, output, root, target};
use crate::setup::setup;

/// What a registry says of the contract.
const CONTRACT: &str =
    "Partway's contract: exports of databases in bounded slices, rows in, parts out";

/// Builds the components and writes them to `target/dist`, and the contract as a WIT package; each with its name,
/// version, licence and description.
pub fn dist() -> Result<()> {
    setup()?;
    let folder = target().join("dist");
    fs::create_dir_all(&folder)?;
    let toolchain = Toolchain::find()?;
    let mut components = vec![("partway-pipe".to_owned(), contract()?)];
    let crates = crates()?;
    for (name, component) in build_components(&toolchain, "component")? {
        let about = about(&crates, &crate_name(name))?;
        let described = described(&component, &format!("partway:{name}"), &about)?;
        components.push((format!("partway-{name}"), described));
    }
    let codec =
        codec::built()?.context("the codec component needs a clang that compiles for wasm32")?;
    let about_codec = about(&crates, &crate_name(codec::NAME))?;
    components
        .push(("partway-codec".to_owned(), described(&codec, "partway:codec", &about_codec)?));
    let manifest = root().join("component/rows-check/Cargo.toml");
    let rows_check = build(&toolchain, &manifest, "rows-check", &target().join("component"))?;
    components.push(("rows-check".to_owned(), rows_check));
    for (name, component) in components {
        let file = folder.join(format!("{name}.wasm"));
        fs::write(&file, &component).with_context(|| format!("writing {}", file.display()))?;
        println!("{} ({} bytes)", file.display(), component.len());
    }
    Ok(())
}

/// The contract, `wit/`, as a WIT package in the component model's own form.
fn contract() -> Result<Vec<u8>> {
    let mut resolve = Resolve::new();
    let (package, _) = resolve.push_dir(root().join("wit"))?;
    let encoded = wit_component::encode(&resolve, package)?;
    let name = &resolve.packages[package].name;
    let version = name.version.as_ref().ok_or_else(|| anyhow!("{name} has no version"))?;
    let texts = [
        ("version", version.to_string()),
        ("licenses", env!("CARGO_PKG_LICENSE").to_owned()),
        ("description", CONTRACT.to_owned()),
    ];
    described(&encoded, &format!("{}:{}", name.namespace, name.name), &texts)
}

/// What cargo knows of the workspace's crates.
fn crates() -> Result<Value> {
    let printed = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    Ok(serde_json::from_str(&printed)?)
}

/// What registries show of a component: the names of sections, as OCI annotations have them, and their texts.
fn about(crates: &Value, name: &str) -> Result<Vec<(&'static str, String)>> {
    let packages = crates["packages"].as_array().context("cargo metadata without packages")?;
    let found = packages.iter().find(|package| package["name"] == name);
    let package = found.with_context(|| format!("the workspace has no crate {name}"))?;
    [("version", "version"), ("licenses", "license"), ("description", "description")]
        .into_iter()
        .map(|(section, field)| {
            let text = package[field].as_str();
            Ok((section, text.with_context(|| format!("{name} has no {field}"))?.to_owned()))
        })
        .collect()
}

/// A component with a name and texts, as `wasm-tools metadata add` writes them. They change nothing that it does.
fn described(component: &[u8], name: &str, texts: &[(&str, String)]) -> Result<Vec<u8>> {
    let mut named = AddMetadata::default();
    named.name = AddMetadataField::Set(name.to_owned());
    let mut component = named.to_wasm(component)?;
    for (section, text) in texts {
        let section = CustomSection { name: (*section).into(), data: text.as_bytes().into() };
        section.append_to_component(&mut component);
    }
    Ok(component)
}

#[cfg(test)]
mod tests {
    use wit_parser::decoding::{DecodedWasm, decode};

    use super::*;

    #[test]
    fn a_component_says_what_it_is() {
        let texts = about(&crates().unwrap(), &crate_name("exporter")).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(texts[0], ("version", version.to_owned()));
        assert_eq!(texts[1], ("licenses", "Apache-2.0 OR MIT".to_owned()));
        assert!(texts[2].1.contains("export component"), "{}", texts[2].1);
        let described = described(&contract().unwrap(), "a:b", &texts[..1]).unwrap();
        // Custom sections: 0, the size, then the section's name and what it holds, each with its length.
        let name = b"\x0ecomponent-name\0\x04\x03a:b";
        assert!(described.windows(name.len()).any(|found| found == name), "it has no name");
        let length = u8::try_from(version.len()).unwrap();
        let section = [&[0, 8 + length, 7][..], b"version", version.as_bytes()].concat();
        assert!(described.ends_with(&section), "it has no version");
        // It is still a package, of the version that its texts name.
        let DecodedWasm::WitPackage(resolve, package) = decode(&described).unwrap() else {
            panic!("not a package");
        };
        let version = resolve.packages[package].name.version.as_ref().unwrap();
        assert_eq!(resolve.packages[package].name.to_string(), format!("partway:pipe@{version}"));
    }
}
