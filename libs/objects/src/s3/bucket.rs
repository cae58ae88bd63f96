use archive::StoreError;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectLockEnabled};

use super::S3;
use super::failure::{failure, status};

/// The region in which a bucket is made when none is named; naming it is refused there.
const DEFAULT_REGION: &str = "us-east-1";

impl S3 {
    /// Makes the bucket, with versions and Object Lock, unless it is there already. True if it was made.
    ///
    /// # Errors
    /// What the server says, or that the bucket is there without Object Lock, which a bucket is given when it is made.
    pub fn create_bucket(&self) -> Result<bool, StoreError> {
        let asked = format!("create s3://{}", self.bucket);
        let head = self.client.head_bucket().bucket(&self.bucket);
        let is_there = match self.wait(head.send()) {
            Ok(_) => true,
            Err(error) if status(&error) == Some(404) => false,
            Err(error) => return Err(failure(&asked, &error)),
        };
        if !is_there {
            let region = self.client.config().region().map_or(DEFAULT_REGION, AsRef::as_ref);
            let place = (region != DEFAULT_REGION).then(|| {
                CreateBucketConfiguration::builder()
                    .location_constraint(BucketLocationConstraint::from(region))
                    .build()
            });
            let request = self
                .client
                .create_bucket()
                .bucket(&self.bucket)
                .object_lock_enabled_for_bucket(true)
                .set_create_bucket_configuration(place);
            self.wait(request.send()).map_err(|error| failure(&asked, &error))?;
        }
        self.require_object_lock()?;
        Ok(!is_there)
    }

    fn require_object_lock(&self) -> Result<(), StoreError> {
        let asked = format!("read the Object Lock of s3://{}", self.bucket);
        let request = self.client.get_object_lock_configuration().bucket(&self.bucket);
        let is_enabled = match self.wait(request.send()) {
            Ok(found) => {
                found
                    .object_lock_configuration()
                    .and_then(|configuration| configuration.object_lock_enabled())
                    == Some(&ObjectLockEnabled::Enabled)
            }
            // A bucket that never heard of locks has no configuration of them.
            Err(error) if status(&error) == Some(404) => false,
            Err(error) => return Err(failure(&asked, &error)),
        };
        if is_enabled {
            Ok(())
        } else {
            Err(StoreError::Misconfigured(format!(
                "s3://{} is there and has no Object Lock: make another bucket with it",
                self.bucket
            )))
        }
    }
}
