//! Composing components.

use partway_prebuilt::REDACTOR;
use partway_redactor::Policy;
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

use crate::RedactError;
use crate::policy_component::policy_component;

/// An export component with the redactor and a policy in front of it. The same component and policy give the same bytes.
///
/// # Errors
///
/// [`RedactError::Policy`], and [`RedactError::Compose`] if the component does not import the contract's rows.
pub fn redacting(exporter: &[u8], policy: &Policy) -> Result<Vec<u8>, RedactError> {
    let policy = policy_component(&policy.to_json()?);
    let composed = plugged(("partway:policy", policy), ("partway:redactor", REDACTOR.to_vec()))
        .and_then(|redactor| {
            plugged(("partway:transform", redactor), ("partway:exporter", exporter.to_vec()))
        });
    composed.map_err(|error| RedactError::Compose(format!("{error:#}")))
}

/// A component whose imports are taken from another one's exports, as far as that one has them.
fn plugged(from: (&str, Vec<u8>), into: (&str, Vec<u8>)) -> anyhow::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let mut register = |(name, bytes): (&str, Vec<u8>)| -> anyhow::Result<_> {
        let package = Package::from_bytes(name, None, bytes, graph.types_mut())?;
        Ok(graph.register_package(package)?)
    };
    let (plugs, socket) = (vec![register(from)?], register(into)?);
    plug(&mut graph, plugs, socket)?;
    Ok(graph.encode(EncodeOptions::default())?)
}
