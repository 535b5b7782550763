//! The contract composes, and the component has no authority but what the contract gives it.

use std::collections::BTreeSet;
use std::time::Instant;

use partway_prebuilt::{EXPORTER, PARQUET};
use partway_testbed::write_sample;
use partway_wasmtime::exporter::Exporter;
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

use crate::support::{
    Interfaces, export_with, interfaces, job_options, pass_through, sha256, turn,
};

#[test]
fn the_component_imports_the_declared_interfaces_and_no_other() {
    let mut expected = Interfaces::of_exporters();
    expected.exports.insert("partway:pipe/contents@0.1.0".to_owned());
    for component in [EXPORTER, PARQUET] {
        assert_eq!(interfaces(component), expected);
    }
}

/// The exporter with so many pass-through components in front.
fn composed(transforms: usize) -> Vec<u8> {
    let mut component = EXPORTER.to_vec();
    for _ in 0..transforms {
        let mut graph = CompositionGraph::new();
        let mut add = |name: &str, bytes: Vec<u8>| {
            let package = Package::from_bytes(name, None, bytes, graph.types_mut()).unwrap();
            graph.register_package(package).unwrap()
        };
        let transform = add("test:pass-through", pass_through().to_vec());
        let exporter = add("partway:exporter", component);
        plug(&mut graph, vec![transform], exporter).unwrap();
        component = graph.encode(EncodeOptions::default()).unwrap();
    }
    component
}

#[test]
fn a_transform_in_front_changes_nothing_but_the_time() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 24).unwrap();
    let exporters: Vec<Exporter> =
        (0..3).map(|transforms| Exporter::new(&composed(transforms)).unwrap()).collect();

    let mut objects = BTreeSet::new();
    let mut seconds = [(); 3].map(|()| Vec::new());
    for _ in 0..5 {
        for (transforms, exporter) in exporters.iter().enumerate() {
            let began = Instant::now();
            let options = job_options(1024 * 1024);
            let dump = export_with(exporter, &file, folder.path(), options, || 4).unwrap();
            seconds[transforms].push(began.elapsed().as_secs_f64());
            objects.insert(sha256(&dump.file));
        }
    }
    assert_eq!(objects.len(), 1, "the objects differ");
    let medians = seconds.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    });
    println!(
        "exporter alone {:.3} s; with one transform in front {:.2} times that, with two {:.2} times",
        medians[0],
        medians[1] / medians[0],
        medians[2] / medians[0]
    );
}
