//! Search over calls.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Setup, on_both_with};

fn marked(call: &Value) -> String {
    let hits = call["hits"].as_array().expect("hits").iter().map(|hit| {
        let parts = hit["parts"].as_array().expect("parts").iter();
        let text: String = parts
            .map(|part| {
                let text = part["text"].as_str().expect("text");
                if part["hit"] == true { format!("[{text}]") } else { text.to_owned() }
            })
            .collect();
        format!("{}: {text}", hit["field"].as_str().expect("a field"))
    });
    format!("{}: {}", call["external_id"].as_str().expect("an id"), hits.collect::<Vec<_>>().join("; "))
}

#[test]
fn words_are_found_wherever_they_were_said_and_marked() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        for call in [
            json!({"external_id": "boiler", "transcript": "AI: Hello\nUser: There is water under my boiler, and the Boiler hums.", "caller_name": "Zoë Müller"}),
            json!({"external_id": "booking", "summary": "Booked a cleaning.", "caller_email": "robin@example.com"}),
            json!({"external_id": "phone", "caller_phone": "+14155550142", "intent": "Ask about opening hours"}),
            json!({"external_id": "long", "transcript": format!("{} needle {}", "hay ".repeat(500), "hay ".repeat(500))}),
        ] {
            client.write_call(call).await;
        }
        let mut told = Vec::new();
        for query in [
            "boiler",
            "BOILER",
            "boil",
            "oiler",
            "water boiler",
            "water cleaning",
            "boil water",
            "zoe",
            "ZOË",
            "muller",
            "robin@example.com",
            "4155550142",
            "%2B14155550142",
            "opening+hours",
            "needle",
            "b",
            "\"water",
            "water*",
            "a OR b",
            "NOT boiler",
            "-",
            "é",
        ] {
            let found = client
                .data(&format!(
                    "/v1/calls?q={}",
                    query
                        .replace(' ', "%20")
                        .replace('ë', "%C3%AB")
                        .replace('Ë', "%C3%8B")
                        .replace('é', "%C3%A9")
                        .replace('"', "%22")
                ))
                .await;
            let found: Vec<_> = found.as_array().expect("a list").iter().map(marked).collect();
            told.push(format!("{query} -> {}", found.join(" | ")));
        }
        assert_snapshot!(told.join("\n"), @r#"
        boiler -> boiler: transcript: AI: Hello
        User: There is water under my [boiler], and the [Boiler] hums.
        BOILER -> boiler: transcript: AI: Hello
        User: There is water under my [boiler], and the [Boiler] hums.
        boil -> boiler: transcript: AI: Hello
        User: There is water under my [boiler], and the [Boiler] hums.
        oiler -> 
        water boiler -> boiler: transcript: AI: Hello
        User: There is [water] under my [boiler], and the [Boiler] hums.
        water cleaning -> 
        boil water -> 
        zoe -> boiler: caller_name: [Zoë] Müller
        ZOË -> boiler: caller_name: [Zoë] Müller
        muller -> boiler: caller_name: Zoë [Müller]
        robin@example.com -> booking: caller_email: [robin]@[example].[com]
        4155550142 -> 
        %2B14155550142 -> phone: caller_phone: +[14155550142]
        opening+hours -> phone: intent: Ask about [opening] [hours]
        needle -> long: transcript: ay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay  [needle] hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay hay h
        b -> booking: summary: [Booked] a cleaning. | boiler: transcript: AI: Hello
        User: There is water under my [boiler], and the [Boiler] hums.
        "water -> boiler: transcript: AI: Hello
        User: There is [water] under my boiler, and the Boiler hums.
        water* -> boiler: transcript: AI: Hello
        User: There is [water] under my boiler, and the Boiler hums.
        a OR b -> 
        NOT boiler -> 
        - -> 
        é -> booking: caller_email: robin@[example].com
        "#);
    });
}

#[test]
fn an_update_is_found_by_its_new_words_only() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        client.write_call(json!({"external_id": "a", "summary": "The boiler leaks."})).await;
        app.tick(std::time::Duration::from_secs(1)).await;
        client.write_call(json!({"external_id": "a", "summary": "The kettle hums."})).await;
        assert_eq!(client.data("/v1/calls?q=boiler").await, json!([]));
        assert_eq!(client.data("/v1/calls?q=kettle").await[0]["external_id"], "a");
    });
}

#[test]
fn a_search_goes_with_filters_and_pages_and_stays_within_the_organization() {
    on_both_with(Setup::unhurried(), async |app| {
        let (mine, theirs) = (app.org("Mine").await, app.org("Theirs").await);
        let client = app.key(&mine);
        for number in 0..7 {
            let status = ["completed", "failed"][number % 2];
            client
                .write_call(json!({"external_id": number.to_string(), "summary": "water", "status": status}))
                .await;
            app.key(&theirs).write_call(json!({"summary": "water"})).await;
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                client.get(&format!("/v1/calls?q=water&status=completed&limit=2{cursor}")).await.json();
            let ids = page["data"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|call| call["external_id"].as_str().expect("mine").to_owned());
            seen.extend(ids);
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, ["6", "4", "2", "0"]);
        let org = mine.id.uuid().simple().to_string();
        assert_eq!(app.key(&theirs).data(&format!("/v1/calls?q=org{org}")).await, json!([]));
    });
}
