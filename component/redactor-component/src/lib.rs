//! The redactor as a component of its own, which with a policy is one of the world `transform`: it stands in front of any
//! export component.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

partway_rows::runtime!();

type Redactor = partway_rows::Transform<partway_redactor::RedactedRows>;

partway_rows::export_rows!(Redactor);
