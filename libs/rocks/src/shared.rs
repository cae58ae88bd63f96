use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel, Options,
    WriteBufferManager,
};

/// The column family of the keys and values.
pub(crate) const VALUES: &str = "values";
/// The column family of the timers: [`state::Timer::encode`] with empty values.
pub(crate) const TIMERS: &str = "timers";
/// The column family that says what the image is and covers. RocksDB insists on one with this name.
pub(crate) const META: &str = rocksdb::DEFAULT_COLUMN_FAMILY_NAME;

/// Bits per key of the filter on values: one absent key in a hundred costs a read. Most keys asked for are new ones.
const BLOOM_BITS: f64 = 10.0;
/// Threads for flush and compaction in the whole process, since all databases share them.
const BACKGROUND_JOBS_MAX: i32 = 2;
/// Table files that one partition holds open.
const OPEN_FILES_MAX: i32 = 128;
/// What a memtable takes at once. The default of 1 MiB, times three column families, times the partitions of a
/// process, would be the whole budget before anything is written.
const ARENA_BLOCK_BYTES: usize = 64 * 1024;
/// RocksDB's own log: size of a file, and how many are kept.
const LOG_BYTES_MAX: usize = 1024 * 1024;
const LOG_FILES_MAX: usize = 2;
/// How much memory the images of a process may take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Blocks, indexes and filters of table files.
    pub block_cache_bytes: usize,
    /// Writes that are not yet in table files. A soft limit: beyond it, the next image written to flushes.
    pub write_buffer_bytes: usize,
}

/// What the images of all partitions of a process share. Clones share too.
#[derive(Clone)]
pub struct Shared {
    block_cache: Cache,
    write_buffers: WriteBufferManager,
}

impl Shared {
    /// Memory for all images of the process; taken as it is needed.
    pub fn new(budget: Budget) -> Self {
        Self {
            block_cache: Cache::new_lru_cache(budget.block_cache_bytes),
            // It must not stall writers: the buffers that fill it may belong to an idle partition, which flushes none.
            write_buffers: WriteBufferManager::new_write_buffer_manager(budget.write_buffer_bytes, false),
        }
    }

    /// Bytes in use now, by kind, to be watched against the budget.
    pub fn usage(&self) -> Budget {
        Budget {
            block_cache_bytes: self.block_cache.get_usage(),
            write_buffer_bytes: self.write_buffers.get_usage(),
        }
    }

    pub(crate) fn database_options(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_paranoid_checks(true);
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        // Else a lost log file could leave the covered offset older or newer than the values.
        options.set_atomic_flush(true);
        options.set_write_buffer_manager(&self.write_buffers);
        options.set_max_background_jobs(BACKGROUND_JOBS_MAX);
        options.set_max_open_files(OPEN_FILES_MAX);
        options.set_log_level(LogLevel::Warn);
        options.set_max_log_file_size(LOG_BYTES_MAX);
        options.set_keep_log_file_num(LOG_FILES_MAX);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        options
    }

    pub(crate) fn column_families(&self) -> [ColumnFamilyDescriptor; 3] {
        let mut values = self.blocks();
        values.set_bloom_filter(BLOOM_BITS, false);
        [
            ColumnFamilyDescriptor::new(META, column_family(&self.blocks())),
            ColumnFamilyDescriptor::new(VALUES, column_family(&values)),
            ColumnFamilyDescriptor::new(TIMERS, column_family(&self.blocks())),
        ]
    }

    fn blocks(&self) -> BlockBasedOptions {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&self.block_cache);
        // So that the budget bounds indexes and filters too.
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        blocks
    }
}

fn column_family(blocks: &BlockBasedOptions) -> Options {
    let mut options = Options::default();
    options.set_block_based_table_factory(blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_arena_block_size(ARENA_BLOCK_BYTES);
    options
}
