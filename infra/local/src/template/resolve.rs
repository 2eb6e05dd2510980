//! What the template's functions (`Ref`, `Fn::Sub` …) come to on this machine.
//!
//! Resolution is lazy: only what the local stack uses is resolved, so a policy may use anything.
//! Whatever cannot be resolved is an error that names its path, never a guess.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::yaml::join;
use crate::error::{Result, StackError};

/// Values the machine supplies: parameters chosen on the command line and addresses of endpoints.
#[derive(Debug, Clone)]
pub struct Locality {
    /// Overrides of the template's parameters by name.
    pub parameters: BTreeMap<String, String>,
    /// What the template's mappings come to by their second key, whatever the first: the programme is a file here, which
    /// need not be one of those that the template lists.
    pub mapped: BTreeMap<String, String>,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// Base address of the SQS and EventBridge endpoint, without a slash at the end.
    pub services_url: String,
}

/// The region every local name and ARN carries.
pub const REGION: &str = "ap-southeast-1";
/// The account every local name and ARN carries.
pub const ACCOUNT: &str = "000000000000";
/// Nesting at which a template is taken to refer to itself.
const DEPTH_MAX: usize = 32;

/// Resolves values of one template.
#[derive(Debug)]
pub struct Resolver {
    document: Value,
    locality: Locality,
}

impl Resolver {
    /// A resolver over a normalised document ([`super::yaml::normalise`]).
    pub fn new(document: Value, locality: Locality) -> Self {
        Self { document, locality }
    }

    /// A top-level section such as `Resources`; empty when the template has none.
    pub fn section(&self, name: &str) -> Map<String, Value> {
        self.document.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// The value with every function inside it replaced by what it comes to.
    /// `AWS::NoValue` removes the property or the list item it stands for.
    pub fn resolve(&self, value: &Value, path: &str) -> Result<Value> {
        self.value(value, path, 0).map(|value| value.unwrap_or(Value::Null))
    }

    /// [`Self::resolve`] to text; numbers and booleans are written out.
    pub fn text(&self, value: &Value, path: &str) -> Result<String> {
        scalar(&self.resolve(value, path)?, path)
    }

    fn value(&self, value: &Value, path: &str, depth: usize) -> Result<Option<Value>> {
        if depth > DEPTH_MAX {
            return Err(at(path, "refers to itself, directly or through others"));
        }
        match value {
            Value::Object(object) if is_function(object) => {
                let (name, argument) = object.iter().next().expect("one entry");
                self.call(name, argument, path, depth + 1)
            }
            Value::Object(object) => {
                let mut resolved = Map::new();
                for (key, item) in object {
                    if let Some(item) = self.value(item, &join(path, key), depth + 1)? {
                        resolved.insert(key.clone(), item);
                    }
                }
                Ok(Some(Value::Object(resolved)))
            }
            Value::Array(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    if let Some(item) = self.value(item, &format!("{path}[{index}]"), depth + 1)? {
                        resolved.push(item);
                    }
                }
                Ok(Some(Value::Array(resolved)))
            }
            plain => Ok(Some(plain.clone())),
        }
    }

    fn call(&self, name: &str, argument: &Value, path: &str, depth: usize) -> Result<Option<Value>> {
        let text = match name {
            "Ref" => {
                let target = scalar(argument, path)?;
                if target == "AWS::NoValue" {
                    return Ok(None);
                }
                self.reference(&target, path, depth)?
            }
            "Fn::GetAtt" => {
                let parts = list(argument, 2, "Fn::GetAtt", path)?;
                self.attribute(&scalar(&parts[0], path)?, &scalar(&parts[1], path)?, path, depth)?
            }
            "Fn::Sub" => self.substitute(argument, path, depth)?,
            "Fn::Join" => self.join_list(argument, path, depth)?,
            "Fn::FindInMap" => self.mapped(argument, path)?,
            "Fn::If" => {
                let parts = list(argument, 3, "Fn::If", path)?;
                let chosen =
                    if self.condition(&scalar(&parts[0], path)?, path, depth)? { &parts[1] } else { &parts[2] };
                return self.value(chosen, path, depth);
            }
            other => {
                return Err(at(path, &format!("the local stack does not understand {other}")));
            }
        };
        Ok(Some(Value::String(text)))
    }

    fn reference(&self, target: &str, path: &str, depth: usize) -> Result<String> {
        match target {
            "AWS::Region" => return Ok(REGION.to_owned()),
            "AWS::AccountId" => return Ok(ACCOUNT.to_owned()),
            "AWS::Partition" => return Ok("aws".to_owned()),
            "AWS::StackName" => return Ok(self.locality.stack_name.clone()),
            "AWS::URLSuffix" => return Ok("amazonaws.com".to_owned()),
            _ => {}
        }
        if let Some(parameter) = self.document["Parameters"].get(target) {
            if let Some(given) = self.locality.parameters.get(target) {
                return Ok(given.clone());
            }
            let default =
                parameter.get("Default").ok_or_else(|| at(path, &format!("parameter {target} has no default")))?;
            return scalar(default, path);
        }
        match self.resource_type(target, path)? {
            "AWS::SQS::Queue" => {
                Ok(format!("{}/{ACCOUNT}/{}", self.locality.services_url, self.name(target, path, depth)?))
            }
            _ => self.name(target, path, depth),
        }
    }

    fn attribute(&self, resource: &str, attribute: &str, path: &str, depth: usize) -> Result<String> {
        let kind = self.resource_type(resource, path)?.to_owned();
        let name = self.name(resource, path, depth)?;
        let arn = |service: &str, rest: String| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
        match (kind.as_str(), attribute) {
            ("AWS::DynamoDB::Table", "Arn") => Ok(arn("dynamodb", format!("table/{name}"))),
            ("AWS::DynamoDB::Table", "StreamArn") => Ok(arn("dynamodb", format!("table/{name}/stream/local"))),
            ("AWS::SQS::Queue", "Arn") => Ok(arn("sqs", name)),
            ("AWS::SQS::Queue", "QueueName") => Ok(name),
            ("AWS::SQS::Queue", "QueueUrl") => self.reference(resource, path, depth),
            ("AWS::Events::EventBus", "Arn") => Ok(arn("events", format!("event-bus/{name}"))),
            ("AWS::Events::EventBus", "Name") => Ok(name),
            ("AWS::Serverless::Function", "Arn") => Ok(arn("lambda", format!("function:{name}"))),
            ("AWS::IAM::Role", "Arn") => Ok(format!("arn:aws:iam::{ACCOUNT}:role/{name}")),
            _ => Err(at(path, &format!("the local stack does not know {attribute} of {resource} ({kind})"))),
        }
    }

    /// The physical name of a resource: the one the template gives, else one made as
    /// CloudFormation makes it, without the random end.
    pub fn name(&self, logical_id: &str, path: &str, depth: usize) -> Result<String> {
        let property = match self.resource_type(logical_id, path)? {
            "AWS::DynamoDB::Table" => "TableName",
            "AWS::SQS::Queue" => "QueueName",
            "AWS::Serverless::Function" => "FunctionName",
            "AWS::Events::EventBus" | "AWS::Events::Rule" | "AWS::Scheduler::Schedule" => "Name",
            _ => "",
        };
        let given = self.document["Resources"][logical_id]["Properties"].get(property);
        let path = format!("Resources.{logical_id}.Properties.{property}");
        match given {
            Some(value) => scalar(&self.value(value, &path, depth + 1)?.unwrap_or(Value::Null), &path),
            None => Ok(format!("{}-{logical_id}", self.locality.stack_name)),
        }
    }

    fn resource_type(&self, logical_id: &str, path: &str) -> Result<&str> {
        self.document["Resources"]
            .get(logical_id)
            .ok_or_else(|| at(path, &format!("there is no parameter or resource {logical_id}")))?
            .get("Type")
            .and_then(Value::as_str)
            .ok_or_else(|| at(&format!("Resources.{logical_id}"), "has no Type"))
    }

    fn mapped(&self, argument: &Value, path: &str) -> Result<String> {
        let parts = list(argument, 3, "Fn::FindInMap", path)?;
        let keys: Vec<String> = parts.iter().map(|part| self.text(part, path)).collect::<Result<_>>()?;
        if let Some(given) = self.locality.mapped.get(&keys[2]) {
            return Ok(given.clone());
        }
        let value = keys.iter().try_fold(&self.document["Mappings"], |map, key| map.get(key));
        scalar(value.ok_or_else(|| at(path, &format!("there is no mapping {}", keys.join("."))))?, path)
    }

    fn substitute(&self, argument: &Value, path: &str, depth: usize) -> Result<String> {
        let (pattern, own) = match argument {
            Value::Array(_) => {
                let parts = list(argument, 2, "Fn::Sub", path)?;
                (scalar(&parts[0], path)?, parts[1].clone())
            }
            text => (scalar(text, path)?, Value::Null),
        };
        let mut output = String::new();
        let mut rest = pattern.as_str();
        while let Some(start) = rest.find("${") {
            output.push_str(&rest[..start]);
            let end = rest[start..].find('}').ok_or_else(|| at(path, "has ${ without }"))?;
            let name = &rest[start + 2..start + end];
            rest = &rest[start + end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                output.push_str("${");
                output.push_str(literal);
                output.push('}');
            } else if let Some(value) = own.get(name) {
                let value = self.value(value, path, depth + 1)?.unwrap_or(Value::Null);
                output.push_str(&scalar(&value, path)?);
            } else if let Some((resource, attribute)) = name.split_once('.') {
                output.push_str(&self.attribute(resource, attribute, path, depth + 1)?);
            } else {
                output.push_str(&self.reference(name, path, depth + 1)?);
            }
        }
        output.push_str(rest);
        Ok(output)
    }

    fn join_list(&self, argument: &Value, path: &str, depth: usize) -> Result<String> {
        let parts = list(argument, 2, "Fn::Join", path)?;
        let separator = scalar(&parts[0], path)?;
        let items = self.value(&parts[1], path, depth + 1)?.unwrap_or(Value::Null);
        let items = items.as_array().ok_or_else(|| at(path, "Fn::Join needs a list"))?;
        let texts: Vec<String> = items.iter().map(|item| scalar(item, path)).collect::<Result<_>>()?;
        Ok(texts.join(&separator))
    }

    /// Whether a condition of the template holds with these parameters.
    pub fn condition(&self, name: &str, path: &str, depth: usize) -> Result<bool> {
        let condition =
            self.document["Conditions"].get(name).ok_or_else(|| at(path, &format!("there is no condition {name}")))?;
        self.holds(condition, &format!("Conditions.{name}"), depth + 1)
    }

    fn holds(&self, condition: &Value, path: &str, depth: usize) -> Result<bool> {
        if depth > DEPTH_MAX {
            return Err(at(path, "refers to itself, directly or through others"));
        }
        let (name, argument) = condition
            .as_object()
            .filter(|object| object.len() == 1)
            .and_then(|object| object.iter().next())
            .ok_or_else(|| at(path, "is not a condition"))?;
        let all = |argument: &Value| -> Result<Vec<bool>> {
            argument
                .as_array()
                .ok_or_else(|| at(path, "needs a list"))?
                .iter()
                .map(|item| self.holds(item, path, depth + 1))
                .collect()
        };
        match name.as_str() {
            "Condition" => self.condition(&scalar(argument, path)?, path, depth),
            "Fn::Not" => Ok(!all(argument)?.into_iter().all(|holds| holds)),
            "Fn::And" => Ok(all(argument)?.into_iter().all(|holds| holds)),
            "Fn::Or" => Ok(all(argument)?.into_iter().any(|holds| holds)),
            "Fn::Equals" => {
                let sides = list(argument, 2, "Fn::Equals", path)?;
                Ok(self.text(&sides[0], path)? == self.text(&sides[1], path)?)
            }
            other => Err(at(path, &format!("the local stack does not understand the condition {other}"))),
        }
    }
}

/// An error at a path of the template.
pub fn at(path: &str, problem: &str) -> StackError {
    StackError::new(format!("{path}: {problem}"))
}

fn is_function(object: &Map<String, Value>) -> bool {
    object.len() == 1 && object.keys().next().is_some_and(|key| key == "Ref" || key.starts_with("Fn::"))
}

fn list<'a>(argument: &'a Value, length: usize, function: &str, path: &str) -> Result<&'a [Value]> {
    argument
        .as_array()
        .filter(|items| items.len() == length)
        .map(Vec::as_slice)
        .ok_or_else(|| at(path, &format!("{function} needs a list of {length}")))
}

fn scalar(value: &Value, path: &str) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(at(path, "should be text")),
    }
}
