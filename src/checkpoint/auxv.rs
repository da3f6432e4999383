//! The auxiliary vector: what the kernel told a program at its start (Linux's `auxvec.h`).

/// The size of a page.
pub(crate) const AT_PAGESZ: u64 = 6;

/// The pairs of key and value in the words of `mm_saved_auxv`, up to the key that ends them.
///
/// CRIU keeps the bytes of `/proc/PID/auxv` as words of 8 bytes: a word of a 32-bit task is a whole
/// pair, key below value. Keys are small, so a first word beyond 32 bits is such a pair.
pub(crate) fn auxv_pairs(words: &[u64]) -> Vec<(u64, u64)> {
    let packed = words.first().is_some_and(|word| word >> 32 != 0);
    let pairs: Vec<(u64, u64)> = if packed {
        let halves = words.iter().map(|word| (word & 0xffff_ffff, word >> 32));
        halves.collect()
    } else {
        let pairs = words.chunks(2).filter_map(|pair| match pair {
            [key, value] => Some((*key, *value)),
            _ => None,
        });
        pairs.collect()
    };
    pairs.into_iter().take_while(|(key, _)| *key != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_32_bit_task_are_whole_pairs() {
        let words = [6, 4096, 33, 0x7fff_1234_5000, 0, 0, 7, 7];
        assert_eq!(auxv_pairs(&words), [(6, 4096), (33, 0x7fff_1234_5000)]);
        let words = [0xf7f7_15e0_0000_0020, 0x1000_0000_0006, 0];
        assert_eq!(auxv_pairs(&words), [(32, 0xf7f7_15e0), (6, 4096)]);
        assert_eq!(auxv_pairs(&[6]), []);
    }
}
