use archive::StoreError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// The HTTP status of the answer, if there was one.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// What an attempt that failed means, after the client has tried again by itself.
pub(super) fn failure<E>(asked: &str, error: &SdkError<E, HttpResponse>) -> StoreError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let answer = error.as_service_error();
    let code = answer.and_then(ProvideErrorMetadata::code);
    let status = status(error);
    let message = match (status, code, answer.and_then(ProvideErrorMetadata::message)) {
        (Some(status), Some(code), message) => format!("{asked}: {status} {code} {}", message.unwrap_or_default()),
        (Some(status), None, _) => format!("{asked}: {status} {}", chain(error)),
        (None, _, _) => format!("{asked}: {}", chain(error)),
    };
    let message = message.trim_end().to_owned();
    if is_passing(status, code) {
        StoreError::Retry(message)
    } else {
        StoreError::Misconfigured(message)
    }
}

/// Whether it may be better later: no answer, a server in trouble, a race with another writer.
fn is_passing(status: Option<u16>, code: Option<&str>) -> bool {
    match status {
        None => true,
        Some(400) => code == Some("RequestTimeout"),
        Some(408 | 409 | 425 | 429) => true,
        // Not "not implemented": that server will never learn it.
        Some(501) => false,
        Some(status) => status >= 500,
    }
}

/// An error and everything that caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_and_what_does_not() {
        let passing = [
            (None, None),
            (Some(503), Some("SlowDown")),
            (Some(500), None),
            (Some(409), None),
        ];
        let lasting = [
            (Some(403), Some("AccessDenied")),
            (Some(301), None),
            (Some(404), Some("NoSuchBucket")),
            (Some(501), None),
        ];
        for (status, code) in passing {
            assert!(is_passing(status, code), "{status:?}");
        }
        for (status, code) in lasting {
            assert!(!is_passing(status, code), "{status:?}");
        }
        assert!(is_passing(Some(400), Some("RequestTimeout")));
        assert!(!is_passing(Some(400), Some("InvalidRequest")));
    }
}
