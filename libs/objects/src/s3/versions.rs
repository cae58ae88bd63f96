use std::collections::BTreeMap;

use archive::StoreError;

use super::S3;
use super::failure::failure;

/// The version of a name that was created first: the object. What was put over it or hides it came later.
pub(super) struct Oldest {
    /// Its id; `null` in a bucket that never had versions.
    pub(super) version: String,
    /// Its length in bytes.
    pub(super) size: u64,
}

impl S3 {
    /// The first version of that name. `None` if there is none.
    pub(super) fn oldest(&self, name: &str) -> Result<Option<Oldest>, StoreError> {
        Ok(self.oldest_below(name)?.remove(name))
    }

    /// The first version of each name that begins with `prefix`.
    pub(super) fn oldest_below(&self, prefix: &str) -> Result<BTreeMap<String, Oldest>, StoreError> {
        let mut found = BTreeMap::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let request = self
                .client
                .list_object_versions()
                .bucket(&self.bucket)
                .prefix(self.key(prefix));
            let request = request.set_key_marker(key_marker).set_version_id_marker(version_marker);
            let page = self.wait(request.send());
            let page = page.map_err(|error| failure(&self.asked("list versions of", prefix), &error))?;
            for version in page.versions() {
                let name = version.key().and_then(|key| key.strip_prefix(self.prefix.as_str()));
                let size = version.size().and_then(|size| size.try_into().ok());
                if let (Some(name), Some(version), Some(size)) = (name, version.version_id(), size) {
                    // The newest of a name comes first, so the last one stays.
                    found.insert(
                        name.to_owned(),
                        Oldest {
                            version: version.to_owned(),
                            size,
                        },
                    );
                }
            }
            if page.is_truncated() != Some(true) {
                return Ok(found);
            }
            key_marker = page.next_key_marker;
            version_marker = page.next_version_id_marker;
        }
    }
}
