//! Checks an implementation of the interface `rows`: a component that any host can run over rows of its own.
#![no_std]

extern crate alloc;

use crate::bindings::exports::partway::rows_check::checks;

mod cell;
mod reading;
mod report;
mod sample;
mod schema_rules;
mod table_rules;

mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "partway:rows-check/rows-check",
        generate_all,
    });
    use super::RowsCheck;
    export!(RowsCheck);
}

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct RowsCheck;

impl checks::Guest for RowsCheck {
    fn check_any() -> checks::Report {
        let mut report = report::Report::default();
        schema_rules::check(&mut report);
        report.finish()
    }

    fn check_sample() -> checks::Report {
        let mut report = report::Report::default();
        if let Some(schema) = schema_rules::check(&mut report) {
            sample::check(&mut report, &schema);
        }
        report.finish()
    }
}
