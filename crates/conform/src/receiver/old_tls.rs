//! Servers whose TLS is older than 1.2, of which no library is left: the first bytes that they would say.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What a server says to a client that speaks nothing as old as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldTls {
    /// That the version is none of its own.
    Refuses,
    /// Hello, in its own version.
    GoesOn,
}

/// A fatal alert, `protocol_version` (RFC 5246, section 7.2).
const ALERT: [u8; 7] = [0x15, 3, 1, 0, 2, 2, 70];

impl OldTls {
    /// Hears the client's first words and says its own.
    pub(super) async fn greet(self, stream: &mut TcpStream) -> io::Result<()> {
        let mut record = [0; 5];
        stream.read_exact(&mut record).await?;
        let mut hello = vec![0; usize::from(u16::from_be_bytes([record[3], record[4]]))];
        stream.read_exact(&mut hello).await?;
        match self {
            Self::Refuses => stream.write_all(&ALERT).await?,
            Self::GoesOn => stream.write_all(&hello_of_1_1()).await?,
        }
        // Until the client goes away.
        while stream.read(&mut record).await? > 0 {}
        Ok(())
    }
}

/// A ServerHello of TLS 1.1 (RFC 4346, section 7.4.1.3) that chooses TLS_RSA_WITH_AES_128_CBC_SHA.
fn hello_of_1_1() -> Vec<u8> {
    let mut body = vec![3, 2];
    body.extend([7; 32]);
    body.extend([0, 0x00, 0x2f, 0]);
    let mut message = vec![2, 0, 0, body.len() as u8];
    message.extend(body);
    let mut record = vec![0x16, 3, 2, 0, message.len() as u8];
    record.extend(message);
    record
}
