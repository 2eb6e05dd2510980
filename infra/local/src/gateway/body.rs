//! Reads a request body up to API Gateway's limit.
//!
//! Never closes the door on a sender in the middle of a body: the rest of one that is too large is
//! read and thrown away, so that the sender hears why it was refused instead of a broken pipe.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, HttpBody};

/// API Gateway's limit of a request body.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Of a body that is too large, this much is read before the sender is cut off after all.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub enum Unread {
    TooLarge,
    Broken,
}

/// The whole body.
pub async fn read(mut body: Body) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Unread::Broken)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        length += data.len();
        if length <= BODY_BYTES_MAX {
            bytes.extend_from_slice(data);
        } else if length > DISCARDED_BYTES_MAX {
            break;
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(Unread::TooLarge);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_at_the_limit_passes_and_one_byte_more_does_not() {
        let at = vec![b'a'; BODY_BYTES_MAX];
        assert_eq!(read(Body::from(at)).await.map(|body| body.len()), Ok(BODY_BYTES_MAX));
        let over = vec![b'a'; BODY_BYTES_MAX + 1];
        assert_eq!(read(Body::from(over)).await, Err(Unread::TooLarge));
    }
}
