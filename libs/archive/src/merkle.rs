use crate::Digest;

/// The Merkle tree hash of RFC 6962 §2.1 over leaves that come one by one. Holds one digest per level, not the leaves.
#[derive(Clone, Debug, Default)]
pub struct MerkleTree {
    leaves: u64,
    /// The roots of the full subtrees, largest first: one for each bit that is set in `leaves`.
    subtrees: Vec<Digest>,
}

impl MerkleTree {
    /// Adds a leaf, given by its [`crate::leaf_hash`].
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        for _ in 0..self.leaves.trailing_ones() {
            let left = self
                .subtrees
                .pop()
                .expect("there is a subtree for each bit that is set");
            node = parent(left, node);
        }
        self.subtrees.push(node);
        self.leaves += 1;
    }

    /// The number of leaves.
    pub fn len(&self) -> u64 {
        self.leaves
    }

    /// There is no leaf yet.
    pub fn is_empty(&self) -> bool {
        self.leaves == 0
    }

    /// The root; without leaves the digest of nothing.
    pub fn root(&self) -> Digest {
        let mut smallest_first = self.subtrees.iter().rev().copied();
        let Some(smallest) = smallest_first.next() else {
            return Digest::of(b"");
        };
        smallest_first.fold(smallest, |right, left| parent(left, right))
    }
}

fn parent(left: Digest, right: Digest) -> Digest {
    Digest::of_parts(&[&[1], &left.0, &right.0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::leaf_hash;

    /// The definition, word for word: split at the largest power of two smaller than the number of leaves.
    fn definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                parent(definition(&leaves[..split]), definition(&leaves[split..]))
            }
        }
    }

    proptest! {
        #[test]
        fn one_by_one_is_the_definition(count in 0_u32..300) {
            let leaves: Vec<_> = (0..count).map(|at| leaf_hash(&at.to_be_bytes())).collect();
            let mut tree = MerkleTree::default();
            leaves.iter().for_each(|leaf| tree.push(*leaf));
            prop_assert_eq!(tree.root(), definition(&leaves));
            prop_assert_eq!(tree.len(), u64::from(count));
        }
    }

    /// The leaves and roots that certificate-transparency-go's reference tests give for RFC 6962.
    #[test]
    fn the_known_roots() {
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = MerkleTree::default();
        for (leaf, root) in leaves.into_iter().zip(roots) {
            let (digits, _) = leaf.as_bytes().as_chunks::<2>();
            let entry: Vec<u8> = digits
                .iter()
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal"))
                .collect();
            tree.push(leaf_hash(&entry));
            assert_eq!(tree.root().to_string(), root);
        }
    }
}
