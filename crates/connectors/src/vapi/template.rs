//! What a keyed hash is over: a text with placeholders, such as `{timestamp}.{body}`.

/// A text with placeholders.
#[derive(Debug, PartialEq)]
pub(super) struct Template<'a>(Vec<Part<'a>>);

/// A piece of a [`Template`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part<'a> {
    /// Text that stands for itself.
    Literal(&'a str),
    /// `{body}`.
    Body,
    /// `{timestamp}`: the header's value.
    Timestamp,
    /// `{svix-id}`: the value of the header with the message's id.
    MessageId,
}

impl<'a> Template<'a> {
    /// Reads a template. The error goes on from the name of the field that holds it.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
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
    pub(super) fn has(&self, part: Part<'_>) -> bool {
        self.0.contains(&part)
    }

    /// The pieces of the text with these values in the placeholders' place, as bytes: bodies need not be UTF-8.
    pub(super) fn fill<'b>(&self, body: &'b [u8], timestamp: &'b [u8], message_id: &'b [u8]) -> Vec<&'b [u8]>
    where
        'a: 'b,
    {
        let value = |part: &Part<'a>| match *part {
            Part::Literal(text) => text.as_bytes(),
            Part::Body => body,
            Part::Timestamp => timestamp,
            Part::MessageId => message_id,
        };
        self.0.iter().map(value).collect()
    }
}

fn placeholder(name: &str) -> Result<Part<'static>, String> {
    match name {
        "body" => Ok(Part::Body),
        "timestamp" => Ok(Part::Timestamp),
        "svix-id" => Ok(Part::MessageId),
        // Behind a proxy neither need be what Vapi called.
        "method" | "url" => {
            Err(format!("has {{{name}}}, which is not supported: leave it out on both sides"))
        }
        _ => Err(format!("has {{{name}}}, but there are only {{body}}, {{timestamp}} and {{svix-id}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_byte_for_byte() {
        let template = Template::parse("v0:{svix-id}.{timestamp}.{body}}").expect("a template");
        let filled = template.fill(b"\xff{body}", b"17", b"id").concat();
        assert_eq!(filled, b"v0:id.17.\xff{body}}");
        assert!(template.has(Part::Timestamp) && template.has(Part::MessageId));
    }

    #[test]
    fn what_cannot_be_filled_in_is_named() {
        let error = |text| Template::parse(text).expect_err("no template");
        assert!(error("{method}.{body}").contains("{method}"));
        assert!(error("{url}{body}").contains("{url}"));
        assert!(error("{Body}").contains("{Body}"));
        assert!(error("{timestamp}").contains("must have {body}"));
        assert!(error("{body").contains('{') && error("").contains("{body}"));
    }
}
