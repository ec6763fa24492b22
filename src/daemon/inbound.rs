//! The listener for Mobile JKN: opened before anything starts, so that a port or certificate that does not work is told
//! at once; served by the same accept loop as the API.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::tasks::Tasks;
use super::{Shared, StartError, face, housekeeping};
use crate::config::StoreUrl;
use crate::http;
use crate::inbound::{self, Parts, Signer};
use crate::observe::Seen;

/// A bound listener that nobody serves yet.
pub(super) struct Open {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    parts: Parts,
}

/// Binds, if it is configured.
pub(super) async fn open(shared: &Shared) -> Result<Option<Open>, StartError> {
    let settings = shared.config.antrean_inbound.clone();
    let Some(listen) = settings.listen else { return Ok(None) };
    let io = |error| StartError::Io { what: format!("antrean_inbound.listen {listen}"), error };
    let listener = TcpListener::bind(listen).await.map_err(io)?;
    let address = listener.local_addr().map_err(io)?;
    let tls = face::tls(settings.tls.as_ref())?;
    let data = match &shared.config.store.url {
        StoreUrl::Sqlite(path) => path.clone(),
        StoreUrl::Postgres(_) => std::path::PathBuf::from("."),
    };
    let min_free = shared.config.store.min_free;
    let parts = Parts {
        store: Arc::clone(&shared.store),
        clients: shared.clients.clone(),
        facilities: Arc::new(shared.config.facilities.clone()),
        clock: shared.parts.clock.clone(),
        chance: shared.parts.chance.clone(),
        settings,
        signer: Signer::new(shared.vault.index_key()?.expose()),
        has_room: Arc::new(move || housekeeping::free_bytes(&data).is_none_or(|free| free >= min_free)),
        observe: Arc::clone(&shared.observe),
    };
    Ok(Some(Open { listener, address, tls, parts }))
}

impl Open {
    /// Serves until the shutdown. A loop that ends before is shown in health; the rest of the bridge goes on.
    pub(super) fn start(self, shared: &Shared, tasks: &Tasks) -> SocketAddr {
        let zones = shared.config.facilities.iter().map(|facility| (facility.code.clone(), facility.timezone.clone()));
        shared.live.inbound_up(zones.collect(), shared.parts.clock.now());
        let (live, clock, stop) = (Arc::clone(&shared.live), shared.parts.clock.clone(), shared.stop.clone());
        let limits = self.parts.settings.limits.clone();
        let secure = self.tls.is_some();
        tracing::info!(address = %self.address, secure, "Mobile JKN is listened to");
        let observe = Arc::clone(&shared.observe);
        tasks.spawn("antrean_inbound", async move {
            let beat = move || observe(Seen::Beat("antrean_inbound"));
            let app = inbound::router(self.parts);
            if let Err(error) = http::serve(self.listener, self.tls, app, &limits, &beat, stop).await {
                tracing::error!(%error, "Mobile JKN is no longer listened to");
                live.inbound_down("stopped", clock.now());
            }
        });
        self.address
    }
}
