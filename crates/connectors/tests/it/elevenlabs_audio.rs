//! Recordings within bodies: taken out as the body arrives, the same in whatever pieces it does.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use connectors::{Rejection, Secrets, TakenApart};
use http::{HeaderMap, HeaderValue};
use model::{Platform, Time};
use proptest::{collection, prelude::*, sample};
use serde_json::{Value, json};

use super::of;

/// What the reader is held against: the whole text at once, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const NOT_BASE64: &str = "data.full_audio is not base64";

/// What comes of a body that arrives in pieces that end at these places.
fn taken_apart(body: &[u8], ends: &[usize]) -> (TakenApart, Vec<u8>) {
    let header = HeaderValue::from_static("t=1700000000,v0=00");
    let headers = HeaderMap::from_iter([("elevenlabs-signature".parse().expect("a name"), header)]);
    let secrets = Secrets { current: "wsec_155", previous: None };
    let mut reader = of(Platform::ElevenLabs).large_body(&secrets, &headers).expect("bodies may be large");
    let mut audio = Vec::new();
    let mut ends: Vec<_> = ends.iter().map(|end| end % (body.len() + 1)).chain([body.len()]).collect();
    ends.sort_unstable();
    let mut start = 0;
    for end in ends {
        reader.push(&body[start..end], &mut audio);
        start = end;
    }
    (reader.finish(Time::from_micros(1_700_000_000_000_000)), audio)
}

/// The body without the recording, and the recording; or what is wrong.
fn result(body: &str) -> Result<(String, Vec<u8>), String> {
    let (whole, audio) = taken_apart(body.as_bytes(), &[]);
    for size in [1, 2, 3, 5] {
        let ends: Vec<_> = (0..body.len()).step_by(size).collect();
        let (pieces, in_pieces) = taken_apart(body.as_bytes(), &ends);
        assert_eq!((&pieces.body, &pieces.fault), (&whole.body, &whole.fault), "{body}");
        assert!(whole.fault.is_some() || in_pieces == audio, "{body}");
    }
    match whole.fault {
        Some(fault) => Err(fault.to_string()),
        None => Ok((String::from_utf8(whole.body).expect("text"), audio)),
    }
}

#[test]
fn the_recording_is_taken_out_and_the_rest_is_kept_to_the_byte() {
    let body =
        "{ \"type\":\"post_call_audio\",\n\t\"data\" : {\"full_audio\" \r:\n \"SUQzBA==\" , \"x\":[1]} }\n";
    let rest = body.replace("SUQzBA==", "");
    assert_eq!(result(body), Ok((rest, b"ID3\x04".to_vec())));
}

#[test]
fn a_body_without_a_recording_comes_through_unchanged() {
    for body in [
        "",
        "null",
        "[]",
        r#"{"type":"post_call_transcription","data":{"status":"done","transcript":[{"message":"Hi \"\\"}]}}"#,
        r#"{"data":{"full_audio":null,"a":"SUQz"}}"#,
        r#"{"data":{"full_audio":["SUQz"],"a":{"full_audio":"SUQz"}}}"#,
        r#"{"data":[{"full_audio":"SUQz"}],"full_audio":"SUQz"}"#,
        r#"{"other":{"full_audio":"SUQz"},"x":"data","data":"full_audio"}"#,
        r#"[{"data":{"full_audio":"SUQz"}}]"#,
        r#"[{"x":1},"data",{"full_audio":"SUQz"}]"#,
        r#"{"data":{"a":"full_audio","b":"SUQz","c":"\"full_audio\":\"SUQz\"","full_audio ":"SUQz"}}"#,
        r#"{"data":{"full_audio_but_a_name_much_longer_than_any_that_could_be_meant_by_it":"SUQz"}}"#,
    ] {
        assert_eq!(result(body), Ok((body.to_owned(), vec![])), "{body}");
    }
}

#[test]
fn names_and_base64_may_be_written_with_escapes() {
    let bytes = [0xff, 0xef, 0xbe, 0xfb, 0xff];
    let text = BASE64.encode(bytes);
    assert!(text.contains('/') && text.contains('+') && text.contains('='), "{text}");
    let escaped = text.replace('/', "\\/").replace('+', "\\u002b").replace('=', "\\u003D");
    let body = format!(r#"{{"d\u0061ta":{{"a":1,"full\u005Faudio":"{escaped}"}}}}"#);
    assert_eq!(result(&body), Ok((body.replace(&escaped, ""), bytes.to_vec())));
}

#[test]
fn padding_may_be_left_out() {
    for (text, bytes) in
        [("", &b""[..]), ("SQ", b"I"), ("SQ==", b"I"), ("SUQ", b"ID"), ("SUQzBA", b"ID3\x04")]
    {
        let body = format!(r#"{{"data":{{"full_audio":"{text}"}}}}"#);
        assert_eq!(result(&body).map(|(_, audio)| audio), Ok(bytes.to_vec()), "{text}");
    }
}

#[test]
fn what_is_not_base64_is_told() {
    for text in [
        "S",
        "SUQzB",
        "SU==SUQz",
        "SUQ=SUQz",
        "====",
        "SU Q",
        "SUQ-",
        "SUQ_",
        "SUQz\\n",
        "SUQz\\\"",
        "é",
        "SUQz\n",
        "\\u00e9UQz",
        "\\u0153UQz",
        "\\uzzzz",
        "\\u 2bUQz",
        "\\xUQz",
    ] {
        let body = format!(r#"{{"data":{{"full_audio":"{text}"}}}}"#);
        assert_eq!(result(&body), Err(NOT_BASE64.into()), "{text}");
    }
}

#[test]
fn a_recording_that_is_cut_off_or_there_twice_is_told() {
    let cut = r#"{"data":{"full_audio":"SUQz"#;
    assert_eq!(result(cut), Err("the body ends in the middle of data.full_audio".into()));
    for twice in [
        r#"{"data":{"full_audio":"SUQz","full_audio":"SUQz"}}"#,
        r#"{"data":{"full_audio":"SUQz"},"data":{"full_audio":""}}"#,
    ] {
        assert_eq!(result(twice), Err("data.full_audio is there twice".into()));
    }
}

#[test]
fn a_stranger_is_rejected_however_the_body_is() {
    for body in [&br#"{"data":{"full_audio":"no base64"}}"#[..], b"\xff", b""] {
        let mismatch = Rejection::Mismatch { header: "elevenlabs-signature".into() };
        assert_eq!(taken_apart(body, &[]).0.verdict, Err(mismatch));
    }
    let secrets = Secrets { current: "wsec_155", previous: None };
    let connector = of(Platform::ElevenLabs);
    let unsigned = connector.large_body(&secrets, &HeaderMap::new()).expect("bodies may be large");
    assert!(matches!(unsigned.finish(Time::from_micros(0)).verdict, Err(Rejection::Missing(_))));
}

/// Sixty-four megabytes of base64 in pieces as a socket gives them, where the caller writes away what was decoded.
#[test]
fn a_large_recording_is_never_held() {
    let secrets = Secrets { current: "wsec_155", previous: None };
    let connector = of(Platform::ElevenLabs);
    let mut reader = connector.large_body(&secrets, &HeaderMap::new()).expect("bodies may be large");
    let (mut audio, mut bytes) = (Vec::new(), 0);
    reader.push(br#"{"type":"post_call_audio","data":{"conversation_id":"c","full_audio":""#, &mut audio);
    let piece = vec![b'A'; 65_537];
    for _ in 0..1024 {
        reader.push(&piece, &mut audio);
        bytes += audio.len();
        assert!(audio.capacity() < 2 * piece.len(), "{} bytes are held", audio.capacity());
        audio.clear();
    }
    reader.push(b"\"}}", &mut audio);
    let taken = reader.finish(Time::from_micros(0));
    assert_eq!((taken.fault, bytes + audio.len()), (None, 1024 * 65_537 / 4 * 3));
    let parsed = super::parse(Platform::ElevenLabs, &taken.body).expect("a message");
    assert_eq!((parsed.external_id.as_deref(), parsed.changes.len()), (Some("c"), 1));
}

#[test]
fn besides_the_recording_a_body_is_short() {
    let limit = 2 * 1024 * 1024;
    let body = |length: usize| format!(r#"{{"a":"{}","data":{{"full_audio":"SUQz"}}}}"#, "x".repeat(length));
    let around = body(0).len() - "SUQz".len();
    let fits = taken_apart(body(limit - around).as_bytes(), &[]);
    assert_eq!((fits.0.fault, fits.0.body.len(), fits.1), (None, limit, b"ID3".to_vec()));
    let (over, _) = taken_apart(body(limit - around + 1).as_bytes(), &[]);
    let words = over.fault.expect("too long").to_string();
    assert!(words.contains("2097152 bytes besides data.full_audio"), "{words}");
    assert_eq!(over.body.len(), limit);
}

/// Text with whatever of it may be escaped, escaped here and there.
fn escaped(text: &str, choices: &[u8]) -> String {
    let escape = |(letter, choice): (char, &u8)| match choice % 8 {
        0 if letter == '/' => "\\/".to_owned(),
        1 => format!("\\u{:04x}", u32::from(letter)),
        2 => format!("\\u{:04X}", u32::from(letter)),
        _ => letter.to_string(),
    };
    text.chars().zip(choices.iter().cycle()).map(escape).collect()
}

fn decoys() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<i32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        sample::select(vec![
            "full_audio",
            "data",
            "\"full_audio\":\"SUQz\"",
            "\\",
            "\\\"",
            "{",
            "[",
            "}]",
            ":",
            ","
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let name = sample::select(vec!["full_audio", "data", "a", "\"", "full_audio\"", "\\"]);
        prop_oneof![
            collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            collection::vec((name, inner), 0..3).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn any_pieces_come_to_what_the_whole_does(
        recording in collection::vec(any::<u8>(), 0..300),
        choices in collection::vec(any::<u8>(), 1..40),
        before in decoys(),
        within in decoys(),
        after in decoys(),
        pretty in any::<bool>(),
        ends in collection::vec(any::<usize>(), 0..60),
    ) {
        let body = json!({
            "a": before,
            "data": {"b": within, "full_audio": "HERE", "c": after},
            "d": {"full_audio": "SUQz", "data": within}
        });
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) };
        let name = escaped("full_audio", &choices);
        let base64 = escaped(&BASE64.encode(&recording), &choices);
        let gap = if pretty { " " } else { "" };
        let text = text.expect("JSON").replace(
            &format!("\"full_audio\":{gap}\"HERE\""),
            &format!("\"{name}\"{gap}:{gap}{gap}\"{base64}\""),
        );
        let mut expected: Value = serde_json::from_str(&text).expect("JSON");
        let told = expected["data"]["full_audio"].as_str().expect("text");
        prop_assert_eq!(BASE64.decode(told).expect("base64"), &recording[..]);
        expected["data"]["full_audio"] = "".into();
        let (taken, audio) = taken_apart(text.as_bytes(), &ends);
        prop_assert_eq!(taken.fault, None);
        prop_assert_eq!(audio, recording);
        prop_assert_eq!(serde_json::from_slice::<Value>(&taken.body).expect("JSON"), expected);
    }

    #[test]
    fn what_is_base64_is_the_same_in_pieces_and_at_once(
        text in "[A-D/+=]{0,24}",
        ends in collection::vec(any::<usize>(), 0..12),
    ) {
        let body = format!(r#"{{"data":{{"full_audio":"{text}"}}}}"#);
        let (taken, audio) = taken_apart(body.as_bytes(), &ends);
        match BASE64.decode(&text) {
            Ok(bytes) => prop_assert_eq!((taken.fault, audio), (None, bytes)),
            Err(_) => prop_assert_eq!(taken.fault.map(|fault| fault.to_string()), Some(NOT_BASE64.to_owned())),
        }
    }

    #[test]
    fn arbitrary_bytes_are_taken_apart_the_same_in_any_pieces(
        prefix in sample::select(vec!["", "{\"data\":{\"full_audio\":", "{\"data\":{", "{\"data\":[", "[{"]),
        bytes in prop_oneof![
            collection::vec(any::<u8>(), 0..200),
            r#"(["\\\{\}\[\]:,u/AB=]|"full_audio"|"data"){0,60}"#.prop_map(String::into_bytes),
        ],
        ends in collection::vec(any::<usize>(), 0..30),
    ) {
        let body = [prefix.as_bytes(), &bytes].concat();
        let (whole, at_once) = taken_apart(&body, &[]);
        let (pieces, audio) = taken_apart(&body, &ends);
        prop_assert_eq!((&pieces.body, &pieces.fault), (&whole.body, &whole.fault));
        prop_assert!(whole.fault.is_some() || audio == at_once);
    }
}
