//! The shipped tables hold together.

use super::*;

#[test]
fn the_shipped_catalogue_loads() {
    let catalogue = Catalogue::shipped().unwrap();
    assert_eq!(catalogue.operations().filter(|operation| operation.is_write()).count(), 17);
}
