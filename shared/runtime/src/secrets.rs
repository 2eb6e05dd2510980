//! Secrets, read from Secrets Manager by the function that needs them.
//!
//! A variable whose value is `secretsmanager:ID` stands for the text of that secret, and `secretsmanager:ID#KEY` for one key
//! of the JSON object in it. So no secret lies in the configuration of a function, where whoever may look at it reads it,
//! and a new one is used within [`LASTS`] without a deployment. A key that is not there is a variable that is not set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::chain;
use crate::config::{ConfigError, Environment};

/// How long what was read is used before it is read again.
pub const LASTS: Duration = Duration::from_secs(300);
/// When reading again fails, what is known goes on being used, and is asked for again after this.
const TRY_AGAIN: Duration = Duration::from_secs(30);

const REFERENCE: &str = "secretsmanager:";

/// Variables that name a secret, by name, with what they stand for.
pub type Values = BTreeMap<String, String>;

/// What this process read last, and when: by the wall's clock, because Lambda stops a process between two events, and with it
/// whatever counts only the time it runs.
static READ: Mutex<Option<(SystemTime, Values)>> = Mutex::const_new(None);

/// The environment of the process, with secrets in the place of their names.
///
/// # Errors
/// [`ConfigError::Secret`] naming the variable whose secret cannot be read.
pub async fn environment() -> Result<Environment<impl Fn(&str) -> Option<String>>, ConfigError> {
    let values = current().await?;
    Ok(Environment::new(move |name: &str| match values.get(name) {
        Some(value) => Some(value.clone()),
        None => std::env::var(name).ok().filter(|value| !value.starts_with(REFERENCE)),
    }))
}

/// What the variables of the process stand for, at most [`LASTS`] old.
async fn current() -> Result<Values, ConfigError> {
    let mut read = READ.lock().await;
    if let Some((at, values)) = read.as_ref()
        && at.elapsed().is_ok_and(|age| age < LASTS)
    {
        return Ok(values.clone());
    }
    let variables: Vec<_> = std::env::vars().filter(|(_, value)| value.starts_with(REFERENCE)).collect();
    let values = if variables.is_empty() {
        Values::new()
    } else {
        let client = aws_sdk_secretsmanager::Client::new(&crate::aws::sdk_config().await);
        resolve(&variables, async |id: &str| fetch(&client, id).await).await?
    };
    *read = Some((SystemTime::now(), values.clone()));
    Ok(values)
}

/// Why a secret is not known. Never holds one.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("Secrets Manager did not give it")]
    Call(#[source] Box<aws_sdk_secretsmanager::Error>),
    #[error("it holds no text")]
    NoText,
    #[error("it is no JSON object")]
    NoObject,
    #[error("the value of its key is no text")]
    NoTextValue,
}

async fn fetch(client: &aws_sdk_secretsmanager::Client, id: &str) -> Result<String, SecretError> {
    let answer = client.get_secret_value().secret_id(id).send().await;
    let answer = answer.map_err(|error| SecretError::Call(Box::new(error.into())))?;
    answer.secret_string.ok_or(SecretError::NoText)
}

/// Reads each secret once, however many variables name it.
async fn resolve(
    variables: &[(String, String)],
    fetch: impl AsyncFn(&str) -> Result<String, SecretError>,
) -> Result<Values, ConfigError> {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    let mut values = Values::new();
    for (variable, reference) in variables {
        let failed = |source| ConfigError::Secret { variable: variable.clone(), source };
        let named = reference.strip_prefix(REFERENCE).unwrap_or_default();
        let (id, key) = named.split_once('#').map_or((named, None), |(id, key)| (id, Some(key)));
        if !texts.contains_key(id) {
            texts.insert(id, fetch(id).await.map_err(failed)?);
        }
        let value = match key {
            None => Some(texts[id].clone()),
            Some(key) => value_of(&texts[id], key).map_err(failed)?,
        };
        values.extend(value.map(|value| (variable.clone(), value)));
    }
    Ok(values)
}

fn value_of(text: &str, key: &str) -> Result<Option<String>, SecretError> {
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| SecretError::NoObject)?;
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.clone())),
        Some(_) => Err(SecretError::NoTextValue),
    }
}

/// What a function works with, made again when a secret it was made with has changed.
pub struct Renewed<T, B> {
    build: B,
    held: Mutex<Held<T>>,
}

struct Held<T> {
    value: Arc<T>,
    made_with: Values,
    look_again: SystemTime,
}

impl<T, B: AsyncFn() -> Result<T, ConfigError>> Renewed<T, B> {
    /// `build` reads [`environment`].
    ///
    /// # Errors
    /// As `build`.
    pub async fn start(build: B) -> Result<Self, ConfigError> {
        let value = Arc::new(build().await?);
        let held = Held { value, made_with: current().await?, look_again: SystemTime::now() + LASTS };
        Ok(Self { build, held: Mutex::new(held) })
    }

    /// What was made with the secrets of the last minutes. Where they cannot be read, or nothing can be made with them,
    /// that is logged, and what was made before goes on.
    pub async fn get(&self) -> Arc<T> {
        self.get_with(SystemTime::now(), async || current().await).await
    }

    async fn get_with(&self, now: SystemTime, read: impl AsyncFn() -> Result<Values, ConfigError>) -> Arc<T> {
        let mut held = self.held.lock().await;
        if now < held.look_again {
            return Arc::clone(&held.value);
        }
        held.look_again = now + TRY_AGAIN;
        match read().await {
            Ok(values) if values == held.made_with => held.look_again = now + LASTS,
            Ok(values) => match (self.build)().await {
                Ok(value) => {
                    *held = Held { value: Arc::new(value), made_with: values, look_again: now + LASTS };
                    tracing::info!("a secret has changed and is in use");
                }
                Err(error) => tracing::error!(error = chain(&error), "the new secrets cannot be used"),
            },
            Err(error) => tracing::error!(error = chain(&error), "secrets cannot be read again"),
        }
        Arc::clone(&held.value)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    fn variables(listed: &[(&str, &str)]) -> Vec<(String, String)> {
        listed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[tokio::test]
    async fn names_become_what_they_stand_for_and_each_secret_is_read_once() {
        let asked = RefCell::new(Vec::new());
        let fetch = async |id: &str| {
            asked.borrow_mut().push(id.to_owned());
            Ok(if id == "arn:of:hooks" {
                r#"{"SHOPIFY":"one two","EMPTY":null}"#.into()
            } else {
                "key#text".to_owned()
            })
        };
        let listed = variables(&[
            ("A", "secretsmanager:arn:of:hooks#SHOPIFY"),
            ("B", "secretsmanager:arn:of:hooks#SAPO"),
            ("C", "secretsmanager:arn:of:hooks#EMPTY"),
            ("D", "secretsmanager:arn:of:key"),
        ]);
        let values = resolve(&listed, fetch).await.unwrap();
        assert_eq!(values, Values::from([("A".into(), "one two".into()), ("D".into(), "key#text".into())]));
        assert_eq!(*asked.borrow(), ["arn:of:hooks", "arn:of:key"]);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_named_and_never_shown() {
        for (text, problem) in [
            (Ok("s3cret, no object"), "it is no JSON object"),
            (Ok(r#"{"KEY": ["s3cret"]}"#), "the value of its key is no text"),
            (Err(SecretError::NoText), "it holds no text"),
        ] {
            let text = RefCell::new(Some(text));
            let fetch = async |_: &str| text.borrow_mut().take().unwrap().map(str::to_owned);
            let error = resolve(&variables(&[("A", "secretsmanager:arn#KEY")]), fetch).await.unwrap_err();
            let said = chain(&error);
            assert_eq!(said, format!("the secret that A names cannot be read: {problem}"));
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    /// What the client really sends, to a store on this machine that knows one secret.
    #[tokio::test]
    async fn the_store_is_asked_for_a_secret_by_its_name() {
        use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let store = async {
            let mut asked = Vec::new();
            for (status, answer) in [
                ("200 OK", r#"{"ARN":"arn:1","Name":"1","SecretString":"{\"A\":\"of the store\"}"}"#),
                ("400 Bad Request", r#"{"__type":"ResourceNotFoundException","Message":"no such secret"}"#),
            ] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 16_384];
                let mut length = 0;
                while !request[..length].ends_with(b"}") {
                    length += stream.read(&mut request[length..]).await.unwrap();
                }
                asked.push(String::from_utf8_lossy(&request[..length]).into_owned());
                let head =
                    format!("HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close\r\n");
                let answer = format!("{head}content-length: {}\r\n\r\n{answer}", answer.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        };
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("local"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(url)
            .build();
        let client = aws_sdk_secretsmanager::Client::from_conf(config);
        let listed = variables(&[("B", "secretsmanager:arn:1#A")]);
        let ask = async {
            let found = resolve(&listed, async |id: &str| fetch(&client, id).await).await;
            (found, resolve(&listed, async |id: &str| fetch(&client, id).await).await)
        };
        let (asked, (found, missing)) = tokio::join!(store, ask);
        assert_eq!(found.unwrap(), Values::from([("B".into(), "of the store".into())]));
        assert!(asked[0].to_lowercase().contains("x-amz-target: secretsmanager.getsecretvalue"), "{}", asked[0]);
        assert!(asked[0].ends_with(r#"{"SecretId":"arn:1"}"#), "{}", asked[0]);
        let said = chain(&missing.unwrap_err());
        assert!(said.starts_with("the secret that B names cannot be read: "), "{said}");
    }

    #[tokio::test]
    async fn a_changed_secret_is_used_without_a_start_and_a_broken_one_changes_nothing() {
        let (built, broken) = (Cell::new(0), Cell::new(false));
        let build = async || {
            if broken.get() {
                return Err(ConfigError::Missing("A"));
            }
            built.set(built.get() + 1);
            Ok(built.get())
        };
        let start = SystemTime::now();
        let renewed = Renewed {
            held: Mutex::new(Held {
                value: Arc::new(build().await.unwrap()),
                made_with: Values::new(),
                look_again: start + LASTS,
            }),
            build,
        };
        let reads = Cell::new(0);
        let value = RefCell::new(Values::new());
        let read = async || {
            reads.set(reads.get() + 1);
            Ok(value.borrow().clone())
        };
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!((*renewed.get_with(at(299), read).await, reads.get()), (1, 0), "not asked before its time");
        assert_eq!((*renewed.get_with(at(300), read).await, reads.get()), (1, 1), "the same secrets, the same thing");
        value.borrow_mut().insert("A".into(), "new".into());
        assert_eq!((*renewed.get_with(at(301), read).await, reads.get()), (1, 1));
        assert_eq!((*renewed.get_with(at(600), read).await, reads.get()), (2, 2), "made again");
        assert_eq!((*renewed.get_with(at(601), read).await, reads.get()), (2, 2));

        value.borrow_mut().insert("A".into(), "unfit".into());
        broken.set(true);
        assert_eq!(*renewed.get_with(at(900), read).await, 2, "what worked goes on");
        let unread = async || Err(ConfigError::Missing("A"));
        assert_eq!(*renewed.get_with(at(931), unread).await, 2);
        broken.set(false);
        assert_eq!(*renewed.get_with(at(962), read).await, 3, "and is tried again soon");
    }
}
