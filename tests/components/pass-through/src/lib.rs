//! A component of the world `transform` that hands everything on as it is: it shows that the contract
//! composes, and what one more crossing costs.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;

use exports::partway::pipe::rows as outer;
use partway::pipe::rows as inner;

wit_bindgen::generate!({
    path: "../../../wit",
    world: "transform",
    merge_structurally_equal_types: true,
});

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct PassThrough;

struct Cursor(inner::Cursor);

impl outer::Guest for PassThrough {
    type Cursor = Cursor;

    fn describe() -> Result<outer::Schema, outer::Error> {
        inner::describe()
    }

    fn scan(
        table: outer::Text,
        columns: Vec<outer::Text>,
        after: Option<outer::Position>,
    ) -> Result<outer::Cursor, outer::Error> {
        let cursor = inner::scan(&table, &columns, after.as_deref())?;
        Ok(outer::Cursor::new(Cursor(cursor)))
    }
}

impl outer::GuestCursor for Cursor {
    fn next(&self, max_bytes: u32) -> Result<outer::Batch, outer::Error> {
        self.0.next(max_bytes)
    }

    fn position(&self, rows: u32) -> Result<outer::Position, outer::Error> {
        self.0.position(rows)
    }

    fn read(
        &self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, outer::Error> {
        self.0.read(row, column, offset, max_bytes)
    }
}

export!(PassThrough);
