//! The style sheet and the scripts: compiled in, named by their content, kept by browsers for good.

use axum::{
    body::Body,
    extract::{RawPathParams, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::{Dashboard, error::PageError};

struct Asset {
    name: String,
    tag: String,
    content_type: &'static str,
    text: &'static str,
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, text: &'static str) -> Self {
        let hash = Sha256::digest(text.as_bytes());
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { name: format!("{stem}-{hash}.{extension}"), tag: format!("\"{hash}\""), content_type, text }
    }

    fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// What pages load.
pub(crate) struct Assets {
    style: Asset,
    page: Asset,
    call: Asset,
    wait: Asset,
    docs: Asset,
    board: Asset,
    icon: Asset,
}

/// Where what pages load is.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) style: String,
    pub(crate) page: String,
    pub(crate) call: String,
    pub(crate) wait: String,
    pub(crate) docs: String,
    pub(crate) board: String,
    pub(crate) icon: String,
}

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

impl Assets {
    pub(crate) fn new() -> Self {
        Self {
            style: Asset::new("app", "css", STYLE, include_str!("../assets/app.css")),
            page: Asset::new("page", "js", SCRIPT, include_str!("../assets/page.js")),
            call: Asset::new("call", "js", SCRIPT, include_str!("../assets/call.js")),
            wait: Asset::new("wait", "js", SCRIPT, include_str!("../assets/wait.js")),
            docs: Asset::new("docs", "css", STYLE, include_str!("../assets/docs.css")),
            board: Asset::new("board", "js", SCRIPT, include_str!("../assets/board.js")),
            icon: Asset::new("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg")),
        }
    }

    pub(crate) fn paths(&self) -> Paths {
        Paths {
            style: self.style.path(),
            page: self.page.path(),
            call: self.call.path(),
            wait: self.wait.path(),
            docs: self.docs.path(),
            board: self.board.path(),
            icon: self.icon.path(),
        }
    }

    fn find(&self, name: &str) -> Option<&Asset> {
        [&self.style, &self.page, &self.call, &self.wait, &self.docs, &self.board, &self.icon]
            .into_iter()
            .find(|asset| asset.name == name)
    }
}

pub(crate) async fn get_asset(
    State(state): State<Dashboard>,
    params: RawPathParams,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let name = params.iter().next().map_or("", |(_, value)| value);
    let asset = state.assets.find(name).ok_or_else(|| PageError::not_found("file"))?;
    let is_known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.split(',').any(|each| each.trim().trim_start_matches("W/") == asset.tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(asset.text))
    };
    let own = response.headers_mut();
    own.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    own.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    if let Ok(tag) = HeaderValue::try_from(&asset.tag) {
        own.insert(header::ETAG, tag);
    }
    Ok(response)
}
