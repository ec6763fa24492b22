//! `jembatan simulate`: the BPJS simulator as a program of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::root::{CliError, log_with};
use crate::simulator::credentials::Credentials;
use crate::simulator::faults::Script;
use crate::simulator::{self, FACILITY, Settings, Simulator};
use crate::telemetry::Format;

/// Arguments of `jembatan simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Alamat, misalnya 127.0.0.1:8078 (where to listen)
    #[arg(long, value_name = "ALAMAT", default_value = "127.0.0.1:8078")]
    pub listen: SocketAddr,
    /// Gangguan yang dimainkan, TOML atau JSON (faults to play)
    #[arg(long, value_name = "BERKAS")]
    pub faults: Option<PathBuf>,
    /// Benih: benih yang sama, hari yang sama (seed)
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Kode faskes yang dilayani (facility served)
    #[arg(long, value_name = "KODE", default_value = FACILITY)]
    pub facility: String,
    /// Cetak kredensial ujinya sebagai JSON, lalu selesai (print the test credentials as JSON and end)
    #[arg(long)]
    pub credentials: bool,
}

/// Runs the simulator until Ctrl-C, or prints its credentials.
///
/// # Errors
/// The fault file is wrong, or the address cannot be had.
pub fn run(args: &SimulateArgs) -> Result<(), CliError> {
    if args.credentials {
        println!("{:#}", Credentials::default().to_json());
        return Ok(());
    }
    log_with(Format::Auto);
    let script = match &args.faults {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            Script::read(&text).map_err(|fault| anyhow::anyhow!("{}: {fault}", path.display()))?
        }
        None => Script::default(),
    };
    let settings = Settings { seed: args.seed, facility: args.facility.clone(), script, ..Settings::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("tokio")?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen).await.with_context(|| args.listen.to_string())?;
        let address = listener.local_addr().context("--listen")?;
        println!("simulator BPJS: http://{address}/pcare-rest (kendali: http://{address}/_sim)");
        let stop = async { drop(tokio::signal::ctrl_c().await) };
        simulator::serve(listener, Simulator::new(settings), stop).await.context("simulator")?;
        Ok(())
    })
}
