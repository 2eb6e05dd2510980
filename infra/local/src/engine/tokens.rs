//! Client request tokens of transactions: the same token with the same request is answered again
//! without being done again (F9), for ten minutes as on AWS.
//!
//! The engine has this too, but looks through every token it holds at each transaction, which by
//! the end of ten busy minutes costs more than the transactions. Never keeps a refusal: a refused
//! transaction may be tried again under its token.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How long AWS remembers a token.
const KEPT: Duration = Duration::from_secs(600);

/// The tokens of the last ten minutes.
#[derive(Debug, Default)]
pub struct Tokens {
    answers: HashMap<String, Answered>,
    /// Oldest first.
    by_age: VecDeque<(Instant, String)>,
}

#[derive(Debug)]
struct Answered {
    request: u64,
    answer: Vec<u8>,
}

/// What is known about a token.
#[derive(Debug, PartialEq, Eq)]
pub enum Token {
    New,
    /// Done before; this was the answer.
    Done(Vec<u8>),
    /// Used before for another request.
    Other,
}

impl Tokens {
    /// Looks up a token for a request.
    pub fn look_up(&mut self, token: &str, request: &[u8], now: Instant) -> Token {
        while let Some((_, old)) = self.by_age.pop_front_if(|(kept_at, _)| now.duration_since(*kept_at) >= KEPT) {
            self.answers.remove(&old);
        }
        match self.answers.get(token) {
            None => Token::New,
            Some(answered) if answered.request == fingerprint(request) => Token::Done(answered.answer.clone()),
            Some(_) => Token::Other,
        }
    }

    /// Remembers that a request was done under a token.
    pub fn keep(&mut self, token: String, request: &[u8], answer: &[u8], now: Instant) {
        self.by_age.push_back((now, token.clone()));
        let answered = Answered { request: fingerprint(request), answer: answer.to_vec() };
        self.answers.insert(token, answered);
    }
}

/// A retry by an SDK repeats its request byte by byte.
fn fingerprint(request: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    request.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_replays_its_answer_and_guards_its_request_for_ten_minutes() {
        let mut tokens = Tokens::default();
        let start = Instant::now();
        assert_eq!(tokens.look_up("t", b"a", start), Token::New);
        tokens.keep("t".to_owned(), b"a", b"answer", start);
        let later = start + KEPT - Duration::from_millis(1);
        assert_eq!(tokens.look_up("t", b"a", later), Token::Done(b"answer".to_vec()));
        assert_eq!(tokens.look_up("t", b"b", later), Token::Other);
        assert_eq!(tokens.look_up("t", b"a", start + KEPT), Token::New);
        assert!(tokens.answers.is_empty() && tokens.by_age.is_empty(), "nothing piles up");
    }
}
