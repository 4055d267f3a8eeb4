from pipeline.runtime.machine_settings import limit_pictures

limit_pictures()  # as commands do first: OpenCV reads it when a module of these tests imports it
