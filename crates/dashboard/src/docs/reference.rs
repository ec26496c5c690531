//! The API's reference, written from its own description: a page for each of its nouns, in Markdown.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    samples::{self, Request},
    schema::{self, Schemas},
};

/// The methods that a path may have, in the order in which they are shown.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The nouns that the API's operations are grouped by, each with the last part of its page's address.
pub(super) fn tags(openapi: &Value) -> Vec<(String, String)> {
    let tags = openapi["tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| tag["name"].as_str()).map(|name| (slug(name), name.to_owned())).collect()
}

fn slug(tag: &str) -> String {
    tag.to_ascii_lowercase().replace(' ', "-")
}

/// The page of a noun; `None` where there is no such noun. `origin` is where the server is reached.
pub(super) fn page(openapi: &Value, wanted: &str, origin: &str) -> Option<String> {
    let tag = openapi["tags"]
        .as_array()?
        .iter()
        .find(|tag| tag["name"].as_str().map(slug).is_some_and(|it| it == wanted))?;
    let name = tag["name"].as_str()?;
    let mut text = format!("# {name}\n\n");
    if let Some(about) = tag["description"].as_str() {
        let _ = writeln!(text, "{about}\n");
    }
    let operations = operations(openapi, name);
    let mut objects = Vec::new();
    for operation in &operations {
        operation.write(&mut text, origin);
        operation.objects(&mut objects);
    }
    write_objects(&mut text, Schemas(openapi), objects);
    Some(text)
}

/// The webhooks' page: each event with what its `data` holds.
pub(super) fn events(openapi: &Value) -> String {
    let schemas = Schemas(openapi);
    let mut text = "# Events\n\nEach event is one POST to each endpoint that asked for it. What its body's `data` holds \
                    is told here; the headers around it are told under [webhooks](webhooks.md).\n\n"
        .to_owned();
    let mut objects = Vec::new();
    for (event, described) in openapi["webhooks"].as_object().into_iter().flatten() {
        let operation = &described["post"];
        let _ = writeln!(text, "## {event} {{#{}}}\n", event.replace('.', "-"));
        for line in ["summary", "description"].into_iter().filter_map(|it| operation[it].as_str()) {
            let _ = writeln!(text, "{line}\n");
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let data = schemas.fields(body).into_iter().find(|field| field.name == "data");
        if let Some(data) = data {
            write_fields(&mut text, schemas, data.schema, Column::Always);
            collect(schemas, data.schema, &mut objects, false);
        }
    }
    write_objects(&mut text, schemas, objects);
    text
}

struct Operation<'a> {
    schemas: Schemas<'a>,
    method: &'a str,
    path: &'a str,
    described: &'a Value,
}

fn operations<'a>(openapi: &'a Value, tag: &str) -> Vec<Operation<'a>> {
    let mut found = Vec::new();
    for (path, methods) in openapi["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let described = &methods[method];
            if described["tags"][0] == tag {
                found.push(Operation { schemas: Schemas(openapi), method, path, described });
            }
        }
    }
    // What clients call before what they are given links to.
    found.sort_by_key(|operation| !operation.path.starts_with("/v1/"));
    found
}

impl<'a> Operation<'a> {
    fn write(&self, text: &mut String, origin: &str) {
        let word = |field: &str| self.described[field].as_str().unwrap_or_default();
        let method = self.method.to_ascii_uppercase();
        let _ = writeln!(text, "## {} {{#{}}}\n", word("summary"), word("operationId"));
        let _ = writeln!(text, "`{method} {}`{}\n", self.path, self.needs());
        if !word("description").is_empty() {
            let _ = writeln!(text, "{}\n", word("description"));
        }
        self.write_parameters(text);
        if let Some(body) = self.body() {
            text.push_str("### Body\n\n");
            write_fields(text, self.schemas, body, Column::Required);
        }
        self.write_answers(text);
        text.push_str(&self.samples(&method, origin));
    }

    /// The scope that a restricted key needs.
    fn needs(&self) -> String {
        match self.described["security"][0]["api_key"][0].as_str() {
            Some(scope) => format!(" · scope `{scope}`"),
            None if self.has_key() => String::new(),
            None => " · without an API key".to_owned(),
        }
    }

    fn has_key(&self) -> bool {
        let security = self.described["security"].as_array();
        security.is_none_or(|ways| ways.iter().any(|way| way.get("api_key").is_some()))
    }

    fn parameters(&self) -> impl Iterator<Item = &'a Value> {
        self.described["parameters"].as_array().into_iter().flatten()
    }

    fn write_parameters(&self, text: &mut String) {
        if self.parameters().next().is_none() {
            return;
        }
        text.push_str("### Parameters\n\n| name | in | value | |\n|---|---|---|---|\n");
        for parameter in self.parameters() {
            let word = |field: &str| parameter[field].as_str().unwrap_or_default();
            let must = if parameter["required"] == json!(true) { "**required** " } else { "" };
            let kind = self.schemas.kind(&parameter["schema"]);
            let about = cell(word("description")) + &bounds(&parameter["schema"]);
            let _ =
                writeln!(text, "| `{}` | {} | {} | {must}{about} |", word("name"), word("in"), cell(&kind));
        }
        text.push('\n');
    }

    /// What the request's JSON has to be, where that is an object with fields.
    fn body(&self) -> Option<&'a Value> {
        let schema = &self.described["requestBody"]["content"]["application/json"]["schema"];
        (!self.schemas.fields(schema).is_empty()).then_some(schema)
    }

    fn write_answers(&self, text: &mut String) {
        text.push_str("### Answers\n\n| status | |\n|---|---|\n");
        let mut answers: Vec<_> = self.described["responses"].as_object().into_iter().flatten().collect();
        // `default` after all numbers.
        answers.sort_unstable_by_key(|(status, _)| *status);
        for (status, answer) in answers {
            let shared = answer["$ref"].as_str().and_then(|to| to.strip_prefix("#/components/responses/"));
            let answer = shared.map_or(answer, |name| &self.schemas.0["components"]["responses"][name]);
            let about = cell(answer["description"].as_str().unwrap_or_default());
            let holds = self.held(answer).map_or_else(String::new, |name| {
                format!(" `data`: [{name}](#{})", name.to_ascii_lowercase())
            });
            let _ = writeln!(text, "| {status} | {about}{holds} |");
        }
        text.push('\n');
    }

    /// The name of the object in an answer's envelope. Envelopes are named after what they hold: `ListOf_Lead`.
    fn held(&self, answer: &'a Value) -> Option<&'a str> {
        let envelope = schema::reference(&answer["content"]["application/json"]["schema"])?;
        let (_, name) = envelope.split_once("Of_")?;
        self.schemas.is_named_object(name).then_some(name)
    }

    fn objects(&self, found: &mut Vec<&'a str>) {
        if let Some(body) = self.body() {
            collect(self.schemas, body, found, false);
        }
        for answer in self.described["responses"].as_object().into_iter().flatten().map(|(_, answer)| answer)
        {
            if let Some(name) = self.held(answer) {
                collect_named(self.schemas, name, found);
            }
        }
    }

    fn samples(&self, method: &str, origin: &str) -> String {
        let mut path = self.path.to_owned();
        let mut query = Vec::new();
        for parameter in self.parameters() {
            let name = parameter["name"].as_str().unwrap_or_default();
            match parameter["in"].as_str() {
                Some("path") => {
                    path = path.replace(&format!("{{{name}}}"), &name.to_ascii_uppercase());
                }
                Some("query") if name == "limit" => query.push("limit=10".to_owned()),
                Some("query") if parameter["required"] == json!(true) => {
                    let value = self.schemas.example(name, &parameter["schema"]);
                    query.push(format!("{name}={}", value.as_str().map_or(value.to_string(), str::to_owned)));
                }
                _ => {}
            }
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let body = self.body().map(|body| self.schemas.example("", body));
        let url = format!("{origin}{path}{query}");
        samples::all(&Request { method, url: &url, body: body.as_ref(), has_key: self.has_key() })
    }
}

/// What the column behind a field's kind says.
#[derive(Clone, Copy)]
enum Column {
    /// Whether the field has to be given.
    Required,
    /// Nothing: all fields are there.
    Always,
}

fn write_fields<'a>(text: &mut String, schemas: Schemas<'a>, schema: &'a Value, column: Column) {
    text.push_str("| field | value | |\n|---|---|---|\n");
    for field in schemas.fields(schema) {
        let must = match column {
            Column::Required if field.is_required => "**required** ",
            _ => "",
        };
        let about = field.schema["description"].as_str();
        let about =
            about.or_else(|| schemas.resolve(field.schema)["description"].as_str()).unwrap_or_default();
        let kind = schemas.kind(field.schema);
        let _ = writeln!(
            text,
            "| `{}` | {} | {must}{}{} |",
            field.name,
            cell(&kind),
            cell(about),
            bounds(field.schema)
        );
    }
    text.push('\n');
}

fn write_objects(text: &mut String, schemas: Schemas<'_>, mut objects: Vec<&str>) {
    objects.sort_unstable();
    if !objects.is_empty() {
        text.push_str("## Objects\n\n");
    }
    for name in objects {
        let schema = schemas.named(name);
        let _ = writeln!(text, "### {name}\n");
        if let Some(about) = schema["description"].as_str() {
            let _ = writeln!(text, "{about}\n");
        }
        write_fields(text, schemas, schema, Column::Always);
    }
}

/// The names of the objects that a value is made of, itself first where `with_itself`.
fn collect<'a>(schemas: Schemas<'a>, schema: &'a Value, found: &mut Vec<&'a str>, with_itself: bool) {
    match schemas.name(schema) {
        Some(name) if with_itself => collect_named(schemas, name, found),
        name => collect_fields(schemas, name.map_or(schema, |name| schemas.named(name)), found),
    }
}

fn collect_named<'a>(schemas: Schemas<'a>, name: &'a str, found: &mut Vec<&'a str>) {
    if !found.contains(&name) {
        found.push(name);
        collect_fields(schemas, schemas.named(name), found);
    }
}

fn collect_fields<'a>(schemas: Schemas<'a>, object: &'a Value, found: &mut Vec<&'a str>) {
    for field in schemas.fields(object) {
        collect(schemas, field.schema, found, true);
    }
}

/// What a value may be at most and at least, in words.
fn bounds(schema: &Value) -> String {
    let mut said = Vec::new();
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Number(least), Value::Number(most)) => said.push(format!("{least} to {most}")),
        (Value::Number(least), _) => said.push(format!("at least {least}")),
        (_, Value::Number(most)) => said.push(format!("at most {most}")),
        _ => {}
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        said.push(format!("at most {most} characters"));
    }
    if !schema["default"].is_null() {
        said.push(format!("default `{}`", schema["default"]));
    }
    if said.is_empty() { String::new() } else { format!(" ({})", said.join("; ")) }
}

/// Words as they may stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}
