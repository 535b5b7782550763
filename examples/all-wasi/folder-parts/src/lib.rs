//! Partway's interface `parts` over a folder.

mod object;

use std::cell::RefCell;

use bindings::exports::partway::pipe::{pacing, parts};
use bindings::exports::partway_example::all_wasi::object::{Found, Guest};
use object::Object;

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit", "../wit"],
        world: "partway-example:all-wasi/folder-parts",
        generate_all,
    });
    use super::Folder;
    export!(Folder);
}

thread_local! {
    static OBJECT: RefCell<Option<Object>> = const { RefCell::new(None) };
}

/// What the object says to this; an error if none is open.
fn with_object<T>(call: impl FnOnce(&mut Object) -> Result<T, String>) -> Result<T, String> {
    OBJECT.with_borrow_mut(|object| call(object.as_mut().ok_or("no object is open")?))
}

struct Folder;

impl Guest for Folder {
    fn open(path: String, part_size: u32) -> Result<Found, String> {
        let (object, found) = Object::open(&path, part_size)?;
        OBJECT.set(object);
        Ok(found)
    }

    fn save(note: String) -> Result<(), String> {
        with_object(|object| object.save(&note))
    }

    fn finish() -> Result<(), String> {
        with_object(|object| object.finish())
    }
}

impl parts::Guest for Folder {
    fn write(number: u32, bytes: Vec<u8>) -> Result<(), parts::Error> {
        with_object(|object| object.write(number, &bytes)).map_err(parts::Error::Failed)
    }
}

impl pacing::Guest for Folder {
    fn should_yield() -> bool {
        false
    }
}
