//! A client of HTTP/1.1 that costs as little as can be: it shares the machine with the server that it measures.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long a head may be.
const HEAD_BYTES: usize = 16 << 10;

/// One connection, kept alive.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, borrowed from its connection.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot reach {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 256 << 10] })
    }

    /// Sends a request and reads its answer.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let head = loop {
            filled += self.read_more(filled).await?;
            if let Some(end) = find(&self.buffer[..filled.min(HEAD_BYTES)], b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(filled < HEAD_BYTES, "an answer's head does not end");
        };
        let status = std::str::from_utf8(&self.buffer[9..12])?.parse()?;
        let end = head + content_length(&self.buffer[..head])?;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        while filled < end {
            filled += self.read_more(filled).await?;
        }
        Ok(Answer { status, body: &self.buffer[head..end] })
    }

    async fn read_more(&mut self, filled: usize) -> Result<usize> {
        let read = self.stream.read(&mut self.buffer[filled..]).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(read)
    }
}

/// One request over a connection of its own.
pub(super) fn ask(address: SocketAddr, request: &[u8]) -> Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        let answer = connection.exchange(request).await?;
        let text = String::from_utf8_lossy(answer.body);
        ensure!(answer.status == 200, "a request was answered {}: {text}", answer.status);
        Ok(answer.body.to_vec())
    })
}

/// The bytes of a GET. `key` is the API key, where one is needed.
pub(super) fn get(path: &str, key: Option<&str>) -> Vec<u8> {
    let authorization = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{authorization}\r\n").into_bytes()
}

fn content_length(head: &[u8]) -> Result<usize> {
    let name = b"content-length: ";
    let start = find(head, name).context("an answer does not tell its length")? + name.len();
    let digits = head[start..].iter().take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0')))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
