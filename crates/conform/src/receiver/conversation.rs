//! A connection, spoken by hand: a library would not let us say what we want to say.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::Instant,
};

use super::{Behavior, Got, Notes};

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As connections end.
    Closed,
    /// With a reset.
    Reset,
}

/// No head of a request is longer.
const MAX_HEAD: usize = 64 << 10;

/// Takes the requests of a connection until its end.
pub(super) async fn converse<S>(stream: &mut S, behavior: &Behavior, notes: &Notes) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut is_first = true;
    // What goes wrong here is that the sender went away.
    while let Ok(Some(head)) = read_head(stream).await {
        if matches!(behavior, Behavior::ClosesReused) && !is_first {
            return End::Closed;
        }
        is_first = false;
        match answer(stream, behavior, notes, head).await {
            Ok(Next::Listen) => {}
            Ok(Next::End(end)) => {
                if end == End::Closed {
                    let _ = stream.shutdown().await;
                }
                return end;
            }
            Err(_) => break,
        }
    }
    End::Closed
}

enum Next {
    Listen,
    End(End),
}

async fn answer<S>(stream: &mut S, behavior: &Behavior, notes: &Notes, mut got: Got) -> io::Result<Next>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Behavior::AnswersEarly(bytes) = behavior {
        let number = notes.note(got);
        say(stream, bytes, notes, number).await?;
        // Who closes while there is something to read resets the connection, and the answer may be lost.
        until_gone(stream).await;
        notes.note_released(number);
        return Ok(Next::End(End::Closed));
    }
    got.body = read_body(stream, &got).await?;
    got.at = Instant::now();
    let number = notes.note(got);
    match behavior {
        Behavior::Answers(answers) => {
            if let Some(answer) = answers.get(number).or(answers.last()) {
                say(stream, &answer.bytes(), notes, number).await?;
            }
            Ok(Next::Listen)
        }
        Behavior::Says(bytes) => {
            say(stream, bytes, notes, number).await?;
            Ok(Next::End(End::Closed))
        }
        Behavior::Resets(bytes) => {
            say(stream, bytes, notes, number).await?;
            // What was said before should be there before the reset, which overtakes it otherwise.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(Next::End(End::Reset))
        }
        Behavior::Trickles { first, then, pause } => {
            trickle(stream, (first, then), *pause, notes, number).await;
            notes.note_released(number);
            Ok(Next::End(End::Closed))
        }
        Behavior::ClosesIdle => {
            say(stream, b"HTTP/1.1 204 No Content\r\n\r\n", notes, number).await?;
            Ok(Next::End(End::Closed))
        }
        Behavior::ClosesReused => {
            say(stream, b"HTTP/1.1 204 No Content\r\n\r\n", notes, number).await?;
            Ok(Next::Listen)
        }
        Behavior::AnswersEarly(_) => Ok(Next::Listen),
    }
}

async fn say<S>(stream: &mut S, bytes: &[u8], notes: &Notes, number: usize) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    stream.write_all(bytes).await?;
    stream.flush().await?;
    notes.note_written(number, bytes.len());
    Ok(())
}

/// Goes on until the sender has enough.
async fn trickle<S>(
    stream: &mut S,
    (first, then): (&[u8], &[u8]),
    pause: Duration,
    notes: &Notes,
    number: usize,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if say(stream, first, notes, number).await.is_err() {
        return;
    }
    let mut more = [0; 1024];
    loop {
        let wrote = tokio::select! {
            wrote = say(stream, then, notes, number) => wrote,
            // A sender that does not read and does not go either must not keep us for ever.
            () = tokio::time::sleep(Duration::from_secs(120)) => return,
        };
        if wrote.is_err() {
            return;
        }
        let gone = async { matches!(stream.read(&mut more).await, Ok(0) | Err(_)) };
        if tokio::time::timeout(pause, gone).await.unwrap_or(false) {
            return;
        }
    }
}

/// Waits until the sender closes, and reads nothing but that.
async fn until_gone<S: AsyncWrite + Unpin>(stream: &mut S) {
    // A byte that HTTP ignores between messages tells whether anybody is there.
    for _ in 0..1200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if stream.write_all(b"\r\n").await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// The head of the next request, and not a byte more: the body may be left unread. `None` at the end of the connection.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Got>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => bytes.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && bytes.is_empty() => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        if bytes.len() > MAX_HEAD {
            return Err(io::Error::other("the head is too long"));
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let (at, body) = (Instant::now(), Vec::new());
    Ok(Some(Got { at, path, headers, body, written: 0, released: None }))
}

async fn read_body<S>(stream: &mut S, head: &Got) -> io::Result<Vec<u8>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if head.header("expect").eq_ignore_ascii_case("100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    if head.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
        return read_chunks(stream).await;
    }
    let mut body = vec![0; head.header("content-length").parse().unwrap_or_default()];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn read_chunks<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        if size == 0 {
            // Trailers, and the empty line behind them.
            while !read_line(stream).await?.is_empty() {}
            return Ok(body);
        }
        let mut chunk = vec![0; size];
        stream.read_exact(&mut chunk).await?;
        body.append(&mut chunk);
        read_line(stream).await?;
    }
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
