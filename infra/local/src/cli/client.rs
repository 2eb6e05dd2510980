//! Subcommands that talk to a running stack.

use serde_json::{Value, json};

use crate::error::{Context, Result, StackError};

/// Prints the dead letters of a running stack, one block each.
pub async fn list_dead_letters(url: &str) -> Result<()> {
    let answer = get(url, "/_local/dead-letters").await?;
    let letters = answer["dead_letters"].as_array().cloned().unwrap_or_default();
    if letters.is_empty() {
        println!("There are no dead letters.");
        return Ok(());
    }
    for letter in &letters {
        println!("{}  in {}, sent {}", text(letter, "message_id"), text(letter, "queue"), text(letter, "sent_at"),);
        println!("    {}", text(letter, "body"));
    }
    println!("In all {}; `dead-letters replay` sends what is here back.", letters.len());
    Ok(())
}

/// Sends dead letters back to where they failed.
pub async fn replay_dead_letters(url: &str, message_id: Option<&str>) -> Result<()> {
    let request = message_id.map_or_else(|| json!({}), |id| json!({"message_id": id}));
    let answer = post(url, "/_local/dead-letters/replay", &request).await?;
    if let (Some(id), Some(0)) = (message_id, answer["replayed"].as_u64()) {
        return Err(StackError::new(format!(
            "there is no dead letter {id}; `dead-letters list` shows those there are"
        )));
    }
    println!("Replayed: {}.", answer["replayed"]);
    Ok(())
}

/// Runs a schedule or a function now and prints what it answered.
pub async fn invoke(url: &str, name: &str, at: Option<&str>, payload: Option<Value>) -> Result<()> {
    let mut request = json!({"name": name});
    if let Some(at) = at {
        request["at"] = at.into();
    }
    if let Some(payload) = payload {
        request["payload"] = payload;
    }
    let answer = post(url, "/_local/invoke", &request).await?;
    if let Some(error) = answer["error"].as_str() {
        return Err(StackError::new(format!("{}: {error}", text(&answer, "function"))));
    }
    println!("{:#}", answer["answer"]);
    Ok(())
}

/// Moves the clock of a running stack.
pub async fn advance(url: &str, to: &str) -> Result<()> {
    let answer = post(url, "/_local/advance", &json!({"to": to})).await?;
    for fired in answer["fired"].as_array().into_iter().flatten() {
        println!("{}  {}", text(fired, "at"), text(fired, "schedule"));
    }
    println!("The clock is at {}.", text(&answer, "clock"));
    Ok(())
}

async fn get(url: &str, path: &str) -> Result<Value> {
    answer(url, reqwest::Client::new().get(format!("{url}{path}"))).await
}

async fn post(url: &str, path: &str, body: &Value) -> Result<Value> {
    answer(url, reqwest::Client::new().post(format!("{url}{path}")).json(body)).await
}

async fn answer(url: &str, request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request
        .send()
        .await
        .context(|| format!("no stack answers at {url}; start one with `cargo run`, or name it with --url"))?;
    let status = response.status();
    let body: Value = response.json().await.context(|| format!("what answers at {url} is not this stack"))?;
    if status.is_success() {
        return Ok(body);
    }
    Err(StackError::new(text(&body, "detail").to_owned()))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
