"""An emulated Raspberry Pi and what stands around it: meter, phone, house and light."""
