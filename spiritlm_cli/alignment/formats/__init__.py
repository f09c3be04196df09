"""Alignment file formats: TextGrid, CTM, Whisper and WhisperX JSON, JSONL manifests. No torch."""
