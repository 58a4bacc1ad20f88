"""How a head is trained: batches, the one LightningModule, progress and resuming."""
