use rocksdb::ErrorKind;
use state::ImageError;

/// What RocksDB's error means for the image.
pub(crate) fn image_error(error: rocksdb::Error) -> ImageError {
    let kind = error.kind();
    let message = error.into_string();
    match kind {
        // A build that RocksDB or we have left behind made files that this one cannot use.
        ErrorKind::Corruption | ErrorKind::NotSupported | ErrorKind::InvalidArgument => ImageError::Corrupt(message),
        // The image's own directory is there, so a file of it was lost.
        ErrorKind::IOError if message.contains("No such file or directory") => ImageError::Corrupt(message),
        ErrorKind::IOError
        | ErrorKind::NotFound
        | ErrorKind::MergeInProgress
        | ErrorKind::Incomplete
        | ErrorKind::ShutdownInProgress
        | ErrorKind::TimedOut
        | ErrorKind::Aborted
        | ErrorKind::Busy
        | ErrorKind::Expired
        | ErrorKind::TryAgain
        | ErrorKind::CompactionTooLarge
        | ErrorKind::ColumnFamilyDropped
        | ErrorKind::Unknown => ImageError::Unavailable(message),
    }
}

/// An error of the file system around the database; `attempted` says what was tried.
pub(crate) fn unavailable(attempted: &str, error: &std::io::Error) -> ImageError {
    ImageError::Unavailable(format!("cannot {attempted}: {error}"))
}
