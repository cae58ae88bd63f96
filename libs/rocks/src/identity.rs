/// Whose state an image holds. An image of another identity is never used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Kafka's own id of the cluster: a cluster made anew has other offsets.
    pub cluster_id: String,
    /// The facts topic.
    pub topic: String,
    /// The partition of that topic.
    pub partition: u32,
    /// How many partitions the topic has: with another count keys live elsewhere.
    pub partition_count: u32,
    /// The version of keys, values and layout. To be raised when one of them changes its form.
    pub schema_version: u32,
}

impl Identity {
    /// Format: schema version, partition, partition count, length of the cluster id (u32 each, big endian), cluster
    /// id, topic. The schema version stays first whatever the rest becomes, so that any build can read it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let cluster_id_bytes = u32::try_from(self.cluster_id.len()).unwrap_or(u32::MAX);
        let numbers = [
            self.schema_version,
            self.partition,
            self.partition_count,
            cluster_id_bytes,
        ];
        let mut bytes: Vec<u8> = numbers.into_iter().flat_map(u32::to_be_bytes).collect();
        bytes.extend_from_slice(self.cluster_id.as_bytes());
        bytes.extend_from_slice(self.topic.as_bytes());
        bytes
    }
}

/// The schema version in what [`Identity::encode`] of any build wrote.
pub(crate) fn schema_version(encoded: &[u8]) -> Option<u32> {
    encoded.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(cluster_id: &str, topic: &str) -> Identity {
        Identity {
            cluster_id: cluster_id.to_owned(),
            topic: topic.to_owned(),
            partition: 1,
            partition_count: 2,
            schema_version: 3,
        }
    }

    #[test]
    fn where_the_cluster_id_ends_matters() {
        assert_ne!(identity("ab", "c").encode(), identity("a", "bc").encode());
    }

    #[test]
    fn the_schema_version_can_be_read_alone() {
        assert_eq!(schema_version(&identity("a", "b").encode()), Some(3));
        assert_eq!(schema_version(b"abc"), None);
    }
}
