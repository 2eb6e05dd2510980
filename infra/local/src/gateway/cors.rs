//! What a browser asks before a web page of another origin may call the API.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::error::{Context, Result};
use crate::template::Cors;

/// The template's methods and headers, for the pages of this machine: nobody is asked for a token here, so no other page
/// may read what the stack knows.
///
/// # Errors
/// When the template names what is no method or no header.
pub fn layer(cors: &Cors) -> Result<CorsLayer> {
    let no = |word: &str| format!("the template allows {word} to web pages, which is no word of HTTP");
    let methods: Vec<Method> =
        cors.methods.iter().map(|word| word.parse().context(|| no(word))).collect::<Result<_>>()?;
    let headers: Vec<HeaderName> =
        cors.headers.iter().map(|word| word.parse().context(|| no(word))).collect::<Result<_>>()?;
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(|origin, _| is_of_this_machine(origin)))
        .allow_methods(methods)
        .allow_headers(headers)
        .max_age(Duration::from_secs(cors.max_age_seconds.into())))
}

fn is_of_this_machine(origin: &HeaderValue) -> bool {
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map_or("", |(_, host)| host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}
