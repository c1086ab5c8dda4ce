"""Networks and samplers: pure torch, no files, no threads. Import the module you need; nothing loads here."""
