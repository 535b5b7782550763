//! A cursor as a resource of the component model.

use crate::rows::Cursor;

/// A cursor that a component holds, in the store's resource table.
pub struct CursorResource {
    pub(crate) cursor: Box<dyn Cursor>,
}
