//! A request to the API as one would write it: with curl, and in five languages with what they bring along or everybody
//! has.

use serde_json::Value;

/// A request.
pub(super) struct Request<'a> {
    /// In upper case.
    pub(super) method: &'a str,
    /// From `http` on, with the query.
    pub(super) url: &'a str,
    /// JSON.
    pub(super) body: Option<&'a Value>,
    /// Whether it carries an API key.
    pub(super) has_key: bool,
}

/// The request in every language, as fences of Markdown that stand side by side.
pub(super) fn all(request: &Request<'_>) -> String {
    let samples = [
        ("sh", "curl", curl(request)),
        ("js", "JavaScript", javascript(request)),
        ("python", "Python", python(request)),
        ("go", "Go", go(request)),
        ("php", "PHP", php(request)),
        ("ruby", "Ruby", ruby(request)),
    ];
    samples
        .into_iter()
        .map(|(language, tab, code)| format!("```{language} tab={tab}\n{}\n```\n\n", code.trim_end()))
        .collect()
}

fn pretty(body: &Value) -> String {
    format!("{body:#}")
}

pub(super) fn curl(request: &Request<'_>) -> String {
    let mut parts = vec!["curl".to_owned()];
    if !(request.method == "GET" || request.method == "POST" && request.body.is_some()) {
        parts.push(format!("-X {}", request.method));
    }
    parts.push(format!("'{}'", request.url));
    if request.has_key {
        parts.push("-H \"Authorization: Bearer $INBOUNDFLOW_KEY\"".to_owned());
    }
    if let Some(body) = request.body {
        parts.push("-H 'Content-Type: application/json'".to_owned());
        parts.push(format!("-d '{}'", pretty(body).replace('\'', r"'\''")));
    }
    let (command, options) = parts.split_at(if parts[1].starts_with("-X") { 3 } else { 2 });
    let mut lines = vec![command.join(" ")];
    lines.extend(options.iter().cloned());
    lines.join(" \\\n  ")
}

pub(super) fn javascript(request: &Request<'_>) -> String {
    let mut headers = Vec::new();
    if request.has_key {
        headers.push("Authorization: `Bearer ${process.env.INBOUNDFLOW_KEY}`".to_owned());
    }
    let mut options = Vec::new();
    if request.method != "GET" {
        options.push(format!("  method: \"{}\",\n", request.method));
    }
    if request.body.is_some() {
        headers.push("\"Content-Type\": \"application/json\"".to_owned());
    }
    if !headers.is_empty() {
        options.push(format!("  headers: {{ {} }},\n", headers.join(", ")));
    }
    if let Some(body) = request.body {
        options.push(format!("  body: JSON.stringify({}),\n", indented(&pretty(body), "  ")));
    }
    if options.is_empty() {
        return format!(
            "const response = await fetch(\"{}\");\nconsole.log(response.status, await response.json());",
            request.url
        );
    }
    format!(
        "const response = await fetch(\"{}\", {{\n{}}});\nconsole.log(response.status, await response.json());",
        request.url,
        options.concat()
    )
}

pub(super) fn python(request: &Request<'_>) -> String {
    let mut options = vec![format!("\"{}\", \"{}\"", request.method, request.url)];
    if request.has_key {
        options.push("headers={\"Authorization\": f\"Bearer {os.environ['INBOUNDFLOW_KEY']}\"}".to_owned());
    }
    if let Some(body) = request.body {
        options.push(format!("json={}", indented(&python_value(body, 0), "    ")));
    }
    let import = if request.has_key { "import os\n" } else { "" };
    format!(
        "{import}import requests\n\nresponse = requests.request(\n    {},\n)\nprint(response.status_code, response.json())",
        options.join(",\n    ")
    )
}

fn python_value(value: &Value, depth: usize) -> String {
    let inner = "    ".repeat(depth + 1);
    let lines = |items: Vec<String>, open: &str, close: &str| {
        if items.is_empty() {
            return format!("{open}{close}");
        }
        let items: String = items.iter().map(|item| format!("{inner}{item},\n")).collect();
        format!("{open}\n{items}{}{close}", "    ".repeat(depth))
    };
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(items) => {
            lines(items.iter().map(|item| python_value(item, depth + 1)).collect(), "[", "]")
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                format!("{}: {}", Value::from(name.as_str()), python_value(value, depth + 1))
            };
            lines(fields.iter().map(field).collect(), "{", "}")
        }
        // JSON writes both as Python does.
        Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

pub(super) fn go(request: &Request<'_>) -> String {
    let body = request
        .body
        .map_or_else(|| "nil".to_owned(), |body| format!("strings.NewReader(`{}`)", pretty(body)));
    let mut imports = vec!["\"fmt\"", "\"io\"", "\"net/http\""];
    let mut headers = String::new();
    if request.has_key {
        imports.push("\"os\"");
        headers += "\trequest.Header.Set(\"Authorization\", \"Bearer \"+os.Getenv(\"INBOUNDFLOW_KEY\"))\n";
    }
    if request.body.is_some() {
        imports.push("\"strings\"");
        headers += "\trequest.Header.Set(\"Content-Type\", \"application/json\")\n";
    }
    format!(
        "package main\n\nimport (\n\t{}\n)\n\nfunc main() {{\n\trequest, err := http.NewRequest(\"{}\", \"{}\", {body})\n\t\
         if err != nil {{\n\t\tpanic(err)\n\t}}\n{headers}\tresponse, err := http.DefaultClient.Do(request)\n\t\
         if err != nil {{\n\t\tpanic(err)\n\t}}\n\tdefer response.Body.Close()\n\tanswer, _ := io.ReadAll(response.Body)\n\t\
         fmt.Println(response.StatusCode, string(answer))\n}}",
        imports.join("\n\t"),
        request.method,
        request.url,
    )
}

pub(super) fn php(request: &Request<'_>) -> String {
    let mut headers = Vec::new();
    if request.has_key {
        headers.push("\"Authorization: Bearer \" . getenv(\"INBOUNDFLOW_KEY\")");
    }
    let mut options = vec![
        format!("    CURLOPT_CUSTOMREQUEST => \"{}\",", request.method),
        "    CURLOPT_RETURNTRANSFER => true,".to_owned(),
    ];
    if let Some(body) = request.body {
        headers.push("\"Content-Type: application/json\"");
        options.push(format!("    CURLOPT_POSTFIELDS => <<<'JSON'\n{}\nJSON,", pretty(body)));
    }
    if !headers.is_empty() {
        options.push(format!("    CURLOPT_HTTPHEADER => [{}],", headers.join(", ")));
    }
    format!(
        "<?php\n$request = curl_init(\"{}\");\ncurl_setopt_array($request, [\n{}\n]);\n$answer = curl_exec($request);\n\
         echo curl_getinfo($request, CURLINFO_RESPONSE_CODE), \" \", $answer;",
        request.url,
        options.join("\n")
    )
}

pub(super) fn ruby(request: &Request<'_>) -> String {
    let mut lines = vec![
        "require \"net/http\"".to_owned(),
        String::new(),
        format!("uri = URI(\"{}\")", request.url),
        format!("request = Net::HTTP::{}.new(uri)", capitalized(request.method)),
    ];
    if request.has_key {
        lines.push("request[\"Authorization\"] = \"Bearer #{ENV.fetch(\"INBOUNDFLOW_KEY\")}\"".to_owned());
    }
    if let Some(body) = request.body {
        lines.push("request[\"Content-Type\"] = \"application/json\"".to_owned());
        lines.push(format!("request.body = <<~'JSON'\n  {}\nJSON", indented(&pretty(body), "  ")));
    }
    lines.push(
        "response = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == \"https\") { |http| http.request(request) }"
            .to_owned(),
    );
    lines.push("puts response.code, response.body".to_owned());
    lines.join("\n")
}

fn capitalized(method: &str) -> String {
    let lower = method.to_ascii_lowercase();
    let mut letters = lower.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// All lines but the first moved to the right.
fn indented(text: &str, by: &str) -> String {
    text.replace('\n', &format!("\n{by}"))
}
