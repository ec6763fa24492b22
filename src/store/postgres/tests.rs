//! The PostgreSQL backend: the common suite, and what only a server can get wrong.

mod nodes;
mod plans;
mod races;
mod scale;
#[expect(dead_code, unreachable_pub, reason = "shared with tests/it")]
#[path = "../../../tests/postgres/server.rs"]
pub(in crate::store) mod server;
mod tls;

use super::*;
use crate::catalogue::Catalogue;
use crate::secret::Private;
use crate::store::conformance::{self, desk::Desk, for_every_case};
use crate::store::{Opened, Sealer};

fn sealer(key: u8) -> Sealer {
    Sealer::new(&[key; 32], &[key.wrapping_add(1); 32])
}

pub(in crate::store) fn settings(url: &str) -> Settings {
    let catalogue = Arc::new(Catalogue::shipped().unwrap());
    Settings { url: Private::new(url.to_owned()), password: None, node: None, sealer: sealer(7), catalogue }
}

async fn open(url: &str) -> (PostgresStore, Opened) {
    PostgresStore::open(settings(url)).await.unwrap()
}

macro_rules! on_postgres {
    ($($module:ident::$case:ident,)*) => {$(
        #[tokio::test]
        async fn $case() {
            let database = server::database();
            let desk = Desk::new(Arc::new(open(&database.url()).await.0));
            conformance::$module::$case(&desk).await;
        }
    )*};
}
for_every_case!(on_postgres);

mod several;
