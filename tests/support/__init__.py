"""What tests share: made-up studies, packs, pools and servers."""
