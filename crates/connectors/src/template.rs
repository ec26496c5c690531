//! What a keyed hash is over: a text with placeholders, such as `{timestamp}.{body}`.

/// A text with placeholders.
#[derive(Debug, PartialEq)]
pub(crate) struct Template<'a>(Vec<Part<'a>>);

/// A piece of a [`Template`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part<'a> {
    /// Text that stands for itself.
    Literal(&'a str),
    /// `{body}`.
    Body,
    /// `{timestamp}`: the header's value.
    Timestamp,
    /// `{svix-id}`: the value of the header with the message's id.
    MessageId,
    /// `{url}`: the whole address that the platform was told.
    Url,
}

/// What stands in the placeholders' place. Bytes: bodies and headers need not be UTF-8.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filling<'b> {
    pub(crate) body: &'b [u8],
    pub(crate) timestamp: &'b [u8],
    pub(crate) message_id: &'b [u8],
    pub(crate) url: &'b [u8],
}

impl<'a> Template<'a> {
    /// Reads a template. The error goes on from the name of the field that holds it.
    pub(crate) fn parse(text: &'a str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("has a { without its }")?;
            if !before.is_empty() {
                parts.push(Part::Literal(before));
            }
            parts.push(placeholder(name)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest));
        }
        if !parts.contains(&Part::Body) {
            return Err("must have {body}: a hash over anything else proves nothing about it".into());
        }
        Ok(Self(parts))
    }

    /// Whether the part occurs.
    pub(crate) fn has(&self, part: Part<'_>) -> bool {
        self.0.contains(&part)
    }

    /// The pieces of the text with these values in the placeholders' place.
    pub(crate) fn fill<'b>(&self, filling: Filling<'b>) -> Vec<&'b [u8]>
    where
        'a: 'b,
    {
        let value = |part: &Part<'a>| match *part {
            Part::Literal(text) => text.as_bytes(),
            Part::Body => filling.body,
            Part::Timestamp => filling.timestamp,
            Part::MessageId => filling.message_id,
            Part::Url => filling.url,
        };
        self.0.iter().map(value).collect()
    }
}

fn placeholder(name: &str) -> Result<Part<'static>, String> {
    match name {
        "body" => Ok(Part::Body),
        "timestamp" => Ok(Part::Timestamp),
        "svix-id" => Ok(Part::MessageId),
        "url" => Ok(Part::Url),
        // Nothing else reaches a source.
        "method" => Ok(Part::Literal("POST")),
        _ => Err(format!(
            "has {{{name}}}, but there are only {{body}}, {{timestamp}}, {{svix-id}}, {{url}} and {{method}}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_byte_for_byte() {
        let text = "v0:{method} {url}:{svix-id}.{timestamp}.{body}}";
        let template = Template::parse(text).expect("a template");
        let url = b"https://calls.example.com/a?b";
        let filling = Filling { body: b"\xff{body}", timestamp: b"17", message_id: b"id", url };
        let filled = template.fill(filling).concat();
        assert_eq!(filled, b"v0:POST https://calls.example.com/a?b:id.17.\xff{body}}");
        assert!(template.has(Part::Timestamp) && template.has(Part::MessageId));
    }

    #[test]
    fn what_cannot_be_filled_in_is_named() {
        let error = |text| Template::parse(text).expect_err("no template");
        assert!(error("{path}.{body}").contains("{path}"));
        assert!(error("{Body}").contains("{Body}"));
        for text in ["{timestamp}", "{url}", "{method}"] {
            assert!(error(text).contains("must have {body}"), "{text}");
        }
        assert!(error("{body").contains('{') && error("").contains("{body}"));
    }
}
