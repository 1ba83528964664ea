"""The life of versions: found on disk, aspired, loaded, served, unloaded.

Downwards: ``core`` applies configs to ``source`` (disk to aspired versions) and ``manager`` (aspired
versions to servables); the manager tells ``monitor`` what happens and publishes ``snapshot``, from
which requests are answered. The rules themselves are pure: ``states``, ``policy``, ``labels`` and
``transitions`` know no clock, thread or disk.
"""
