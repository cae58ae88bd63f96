//! `tidewatch health`: asks a service of this machine how it is, for health checks in an image that has no other client.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use service::{Exit, ProcessSettings};

use crate::config;
use crate::output::{complain, say};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the service that listens on `telemetry.listen` whether it can do its work; exits with 1 if it cannot.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Ask whether it is alive: whether a restart would help.
    #[arg(long)]
    alive: bool,
}

/// Runs `tidewatch health`.
pub(crate) fn run(args: &HealthArgs, config: Option<PathBuf>) -> Result<Exit> {
    let Some(process) = config::for_tool(config, &["telemetry", "process"], ProcessSettings::read) else {
        return Ok(Exit::Configuration);
    };
    let path = if args.alive { "/healthz" } else { "/readyz" };
    let address = reachable(process.listen);
    let (is_well, said) = ask(address, path).with_context(|| format!("http://{address}{path}"))?;
    if is_well {
        say(said.trim_end());
        Ok(Exit::Ok)
    } else {
        complain(&said.trim_end());
        Ok(Exit::Failure)
    }
}

/// A service that listens everywhere is asked here.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Whether the answer is 200, and its body.
fn ask(address: SocketAddr, path: &str) -> Result<(bool, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
    let status = head.split_whitespace().nth(1);
    Ok((status == Some("200"), body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use service::health::Health;
    use service::metrics::Metrics;
    use service::{Stop, health};

    #[test]
    fn it_is_asked_on_the_loopback_what_everybody_may_ask() {
        let reached = |listen: &str| reachable(listen.parse().expect("an address")).to_string();
        assert_eq!(reached("0.0.0.0:9090"), "127.0.0.1:9090");
        assert_eq!(reached("[::]:9090"), "[::1]:9090");
        assert_eq!(reached("10.1.2.3:9090"), "10.1.2.3:9090");
    }

    #[test]
    fn a_service_that_is_not_ready_is_not_well_and_says_why() {
        let health = Health::default();
        let readiness = health.readiness("log");
        readiness.not_ready("no partition is assigned yet");
        let address = "127.0.0.1:0".parse().expect("an address");
        let routes = axum::Router::new();
        let endpoint = health::serve(address, health, Metrics::new(), Stop::new(), routes).expect("a free port");
        let (is_well, said) = ask(endpoint.address(), "/readyz").expect("an answer");
        assert!(!is_well, "{said}");
        assert!(said.contains("no partition is assigned yet"), "{said}");
        assert!(ask(endpoint.address(), "/healthz").expect("an answer").0);
        readiness.ready();
        assert!(ask(endpoint.address(), "/readyz").expect("an answer").0);
    }

    #[test]
    fn where_nobody_listens_there_is_no_health() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = closed.local_addr().expect("an address");
        drop(closed);
        assert!(ask(address, "/readyz").is_err(), "{address}");
    }
}
