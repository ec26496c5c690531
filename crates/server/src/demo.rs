//! The whole main job where one can see it: calls come in as Vapi and Retell send them, the API serves them, and
//! signed webhooks go out to a receiver that checks them. All over real sockets, as an integrator would.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, ensure};
use delivery::sign;
use hmac::{Hmac, KeyInit, Mac};
use model::{ApiKey, EventFilter, Platform, Scopes, SourceId};
use reqwest::{Client, header};
use serde_json::Value;
use sha2::Sha256;
use store::{NewEndpoint, NewKey, NewSource};

use crate::{
    app::World,
    cli::DemoOptions,
    config::Config,
    output::say,
    receiver::{Received, Receiver},
    serve::{self, Running, StopSignals},
};

const VAPI_CALL: [&str; 2] = [
    include_str!("../../connectors/fixtures/vapi/status-update.in-progress.json"),
    include_str!("../../connectors/fixtures/vapi/end-of-call-report.json"),
];
const RETELL_CALL: [&str; 3] = [
    include_str!("../../connectors/fixtures/retell/call_started.json"),
    include_str!("../../connectors/fixtures/retell/call_ended.json"),
    include_str!("../../connectors/fixtures/retell/call_analyzed.json"),
];

/// How long a webhook may take to arrive.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs the demo. Fails where any step does.
pub(crate) async fn run(mut config: Config, world: World, options: &DemoOptions) -> anyhow::Result<()> {
    // The receiver is on this machine, which webhooks are otherwise kept away from.
    config.delivery.allow_targets.push("127.0.0.1/32".into());
    // These calls are made up: there is nothing where their recordings are said to be.
    config.recordings.fetch = false;
    if options.exit && options.serve.listen.is_none() {
        // A check must not fail because a server runs here already.
        config.listen = "127.0.0.1:0".into();
    }
    let running = serve::start(&config, &world).await?;
    let base = format!("http://{}", running.address);
    say(&format!("InboundFlow runs at {base}, with its data in {}\n", config.database_shown()));
    let mut stage = Stage::set(&running, &world).await?;
    stage.send_calls(&world).await?;
    stage.show_api().await?;
    stage.show_webhooks().await?;
    stage.show_next(&base);
    if options.exit {
        running.stop().await;
        say("\nEvery step worked.");
        return Ok(());
    }
    say("\nIt keeps running: press Ctrl-C to stop.");
    crate::output::complain(&format!("listening on {base}"));
    StopSignals::listen()?.told().await;
    running.stop().await;
    Ok(())
}

/// A fresh organization with everything that the play needs.
struct Stage {
    base: String,
    client: Client,
    key: ApiKey,
    sources: [(Platform, SourceId); 2],
    platform_secret: String,
    receiver: Receiver,
}

impl Stage {
    async fn set(running: &Running, world: &World) -> anyhow::Result<Self> {
        let org = running.store.create_org("Demo: Harbor Plumbing and Lakeside Dental").await?;
        let records = running.store.org(org.id);
        let new_key = NewKey { name: "demo".into(), expires_at: None, rate_limit: None, scopes: Scopes::All };
        let (_, key) = records.create_key(new_key).await?;
        let platform_secret = sign::generate_secret(&*world.ids);
        let source = async |platform: Platform| {
            let name = platform.as_str().to_owned();
            let secret = platform_secret.clone();
            let new = NewSource { platform, name, secret, settings: Value::Null };
            records.create_source(new).await.map(|source| (platform, source.id))
        };
        let sources = [source(Platform::Vapi).await?, source(Platform::Retell).await?];
        let secret = sign::generate_secret(&*world.ids);
        let receiver = Receiver::start(secret.clone()).await?;
        let url = format!("http://{}/hook", receiver.address);
        records
            .create_endpoint(NewEndpoint {
                url,
                events: EventFilter::default(),
                secret: Some(secret),
                source: None,
                telling: Default::default(),
            })
            .await?;
        say(&format!(
            "1. A fresh organization ({}) with an API key, a source for Vapi, one for Retell,",
            org.id
        ));
        say(&format!("   and a webhook to a receiver at {}.\n", receiver.address));
        let base = format!("http://{}", running.address);
        Ok(Self { base, client: http_client()?, key, sources, platform_secret, receiver })
    }

    /// Two calls, message by message, signed as their platforms sign.
    async fn send_calls(&self, world: &World) -> anyhow::Result<()> {
        say("2. Two calls come in, in the shapes and with the signatures of Vapi and Retell:");
        for message in VAPI_CALL {
            let now = world.clock.now();
            let seconds = now.unix_seconds().to_string();
            let signature = hex::encode(self.mac(&[seconds.as_bytes(), b".", message.as_bytes()])?);
            self.send(0, message, &[("x-timestamp", seconds), ("x-signature", signature)]).await?;
        }
        for message in RETELL_CALL {
            let millis = (world.clock.now().micros() / 1000).to_string();
            let digest = hex::encode(self.mac(&[message.as_bytes(), millis.as_bytes()])?);
            self.send(1, message, &[("x-retell-signature", format!("v={millis},d={digest}"))]).await?;
        }
        Ok(())
    }

    fn mac(&self, parts: &[&[u8]]) -> anyhow::Result<Vec<u8>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.platform_secret.as_bytes())?;
        parts.iter().for_each(|part| mac.update(part));
        Ok(mac.finalize().into_bytes().to_vec())
    }

    async fn send(
        &self,
        source: usize,
        message: &'static str,
        headers: &[(&str, String)],
    ) -> anyhow::Result<()> {
        let (platform, id) = self.sources[source];
        let url = format!("{}/ingest/{}/{id}", self.base, platform.as_str());
        let mut request =
            self.client.post(url).header(header::CONTENT_TYPE, "application/json").body(message);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await?;
        let status = response.status();
        let body: Value = serde_json::from_str(&response.text().await?)?;
        let value: Value = serde_json::from_str(message)?;
        let event = value["message"]["type"].as_str().or(value["event"].as_str()).unwrap_or("?");
        say(&format!("   {:<7} {event:<19} → {status} {}", platform.as_str(), body["data"]["outcome"]));
        ensure!(status.is_success(), "the ingest answered {status}: {body}");
        Ok(())
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(self.key.reveal());
        let response = request.send().await?;
        let status = response.status();
        let body = response.text().await?;
        ensure!(status.is_success(), "GET {path} answered {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    async fn show_api(&self) -> anyhow::Result<()> {
        say("\n3. The API serves them (GET /v1/calls, without transcripts here):");
        let mut list = self.get("/v1/calls").await?;
        let calls = list["data"].as_array_mut().context("`data` is a list")?;
        ensure!(calls.len() == 2, "there should be 2 calls, and there are {}", calls.len());
        for call in calls {
            ensure!(call["status"] == "completed", "a call should be completed: {call}");
            call["transcript"] = "…".into();
        }
        say(&indent(&serde_json::to_string_pretty(&list["data"])?));
        for path in ["/v1/contacts", "/v1/leads", "/v1/appointments"] {
            let count = self.get(path).await?["data"].as_array().map_or(0, Vec::len);
            say(&format!("   GET {path:<17} → {count}"));
            ensure!(count == 2, "there should be 2 at {path}, and there are {count}");
        }
        Ok(())
    }

    /// Every event of both calls, each with its signatures checked by the receiver.
    async fn show_webhooks(&mut self) -> anyhow::Result<()> {
        say("\n4. The receiver got a signed webhook for each event, and checked both signatures:");
        let mut seen = BTreeSet::new();
        let mut last = None;
        while seen.len() < 6 {
            let waited = tokio::time::timeout(PATIENCE, self.receiver.received.recv()).await;
            let got = waited.context("a webhook did not arrive in time")?.context("the receiver is gone")?;
            got.verified.as_ref().map_err(|why| anyhow::anyhow!("a webhook is not signed right: {why}"))?;
            let event = got.body["event"].as_str().unwrap_or("?").to_owned();
            say(&format!("   {event:<20} {} verified", got.body["delivery_id"].as_str().unwrap_or("?")));
            seen.insert((event, got.body["data"]["call_id"].to_string()));
            last = Some(got);
        }
        if let Some(Received { headers, body, .. }) = last {
            say("   The last of them:");
            for (name, value) in &headers {
                say(&format!("     {name}: {}", value.to_str().unwrap_or("?")));
            }
            say(&format!("     {body}"));
        }
        Ok(())
    }

    fn show_next(&self, base: &str) {
        say("\n5. Try it yourself:");
        say(&format!("   curl -H 'Authorization: Bearer {}' '{base}/v1/calls?limit=1'", self.key.reveal()));
    }
}

fn http_client() -> anyhow::Result<Client> {
    delivery::client::install_crypto();
    Ok(Client::builder().timeout(PATIENCE).build()?)
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("   {line}\n")).collect::<String>().trim_end().to_owned()
}
