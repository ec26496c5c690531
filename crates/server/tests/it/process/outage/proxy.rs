//! The network between the server and its database: it can be cut, and it can fall silent.

use std::sync::Arc;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// How the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// Connections are closed, and new ones too.
    Cut,
    /// Connections stay, and nothing comes through. Those that have been in silence stay in it.
    Silent,
}

/// A port that forwards to another one.
pub(super) struct Proxy {
    pub(super) port: u16,
    way: Arc<watch::Sender<Way>>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(super) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let (mut task, told) = (JoinSet::new(), way.clone());
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                connections.spawn(forward(stream, to, told.subscribe()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { port, way, _task: task }
    }

    pub(super) fn open(&self) {
        self.way.send_replace(Way::Open);
    }

    pub(super) fn cut(&self) {
        self.way.send_replace(Way::Cut);
    }

    pub(super) fn silence(&self) {
        self.way.send_replace(Way::Silent);
    }
}

async fn forward(mut near: TcpStream, to: u16, mut way: watch::Receiver<Way>) {
    if *way.borrow() == Way::Open {
        let Ok(mut far) = TcpStream::connect(("127.0.0.1", to)).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => return,
            _ = way.wait_for(|way| *way != Way::Open) => {}
        }
        if *way.borrow() == Way::Silent {
            // The far side hears nothing of it either.
            hush(&mut way).await;
        }
    } else if *way.borrow() == Way::Silent {
        hush(&mut way).await;
    }
}

/// Does nothing until the network is cut, or the test ends.
async fn hush(way: &mut watch::Receiver<Way>) {
    let _ = way.wait_for(|way| *way == Way::Cut).await;
}
