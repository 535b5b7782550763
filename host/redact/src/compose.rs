//! Composing components.

use partway_prebuilt::{EXPORTER, PARQUET, REDACTING_EXPORTER, REDACTOR};
use partway_redactor::Policy;
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

use crate::RedactError;
use crate::policy_component::policy_component;

/// Partway's own export component with a policy inside. It does what [`redacting`] makes of the exporter and the policy, in
/// less time: the redactor is linked with the exporter, so that rows are not copied from component to component. The same
/// policy gives the same bytes.
///
/// # Errors
///
/// [`RedactError::Policy`].
pub fn redacting_exporter(policy: &Policy) -> Result<Vec<u8>, RedactError> {
    if REDACTING_EXPORTER.is_empty() {
        return redacting(EXPORTER, policy);
    }
    let policy = policy_component(&policy.to_json()?);
    plugged(("partway:policy", &policy), ("partway:exporter", REDACTING_EXPORTER)).map_err(unfit)
}

/// Partway's own component for Parquet with the redactor and a policy in front of it.
///
/// # Errors
///
/// [`RedactError::Policy`].
pub fn redacting_parquet(policy: &Policy) -> Result<Vec<u8>, RedactError> {
    redacting(PARQUET, policy)
}

/// Any export component with the redactor and a policy in front of it. The same component and policy give the same bytes.
///
/// # Errors
///
/// [`RedactError::Policy`], and [`RedactError::Compose`] if the component does not import the contract's rows.
pub fn redacting(exporter: &[u8], policy: &Policy) -> Result<Vec<u8>, RedactError> {
    let policy = policy_component(&policy.to_json()?);
    let composed =
        plugged(("partway:policy", &policy), ("partway:redactor", REDACTOR)).and_then(|redactor| {
            plugged(("partway:transform", &redactor), ("partway:exporter", exporter))
        });
    composed.map_err(unfit)
}

fn unfit(error: anyhow::Error) -> RedactError {
    RedactError::Compose(format!("{error:#}"))
}

/// A component whose imports are taken from another one's exports, as far as that one has them.
fn plugged(from: (&str, &[u8]), into: (&str, &[u8])) -> anyhow::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let mut register = |(name, bytes): (&str, &[u8])| -> anyhow::Result<_> {
        let package = Package::from_bytes(name, None, bytes.to_vec(), graph.types_mut())?;
        Ok(graph.register_package(package)?)
    };
    let (plugs, socket) = (vec![register(from)?], register(into)?);
    plug(&mut graph, plugs, socket)?;
    Ok(graph.encode(EncodeOptions::default())?)
}
