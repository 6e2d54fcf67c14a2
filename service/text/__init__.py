"""What others wrote: judged before it is stored, and made safe to print."""
