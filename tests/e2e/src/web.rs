//! Requests over HTTP, from a thread that waits for the answer.

use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Runtime;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client.
pub struct Web {
    client: reqwest::Client,
    runtime: Runtime,
}

impl Default for Web {
    fn default() -> Self {
        Self::new()
    }
}

impl Web {
    /// A client with connections of its own.
    ///
    /// # Panics
    /// If there are no threads.
    pub fn new() -> Self {
        // Another test of this process may have installed it already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().timeout(TIMEOUT).build();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Self {
            client: client.expect("a client without TLS"),
            runtime: runtime.expect("a thread"),
        }
    }

    /// Status and body of a page; `None` if nobody answers.
    pub fn get(&self, url: &str) -> Option<(u16, String)> {
        self.send(self.client.get(url))
    }

    /// Status and body of the answer to a POST; `None` if nobody answers.
    pub fn post(&self, url: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Option<(u16, String)> {
        let request = headers.iter().fold(self.client.post(url), |request, (name, value)| {
            request.header(*name, *value)
        });
        self.send(request.body(body.into()))
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Option<(u16, String)> {
        self.runtime.block_on(async {
            let response = request.send().await.ok()?;
            let status = response.status().as_u16();
            Some((status, response.text().await.ok()?))
        })
    }
}
