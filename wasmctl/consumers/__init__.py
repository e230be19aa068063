"""What those who load plug-ins from images make of one."""
